//! A machine that has been up before takes neither an earlier time from its hardware's clock nor its configuration from
//! a stick.

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::daemons::check_system_containers;
use qemu_tests::fixtures::guest::{problems, reboot};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::media::seed;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{Chipset, SeedKind, UserData, Vm, VmSpec, run};
use serde_json::json;

const YEAR_SECS: u64 = 365 * 24 * 3600;

#[test]
#[ignore = "long: make test-faults"]
fn a_dead_clock_and_a_stick_change_nothing() -> Result<()> {
    let spec = VmSpec {
        // Its PCI slots take a controller of USB while the machine runs.
        chipset: Chipset::Pc,
        rtc: Some("1970-01-02T00:00:00".into()),
        state_disk_mb: Some(1024),
        ..VmSpec::default()
    };
    run("faults-second-boot", &spec, &UserData::key_only(), |vm| {
        let mut checks = Checks::default();
        let built = seconds(
            vm,
            "sudo nsenter --target 1 --mount -- stat -c %Y /run/ros/os-image/build-id",
        )?;
        checks.run("a dead clock", || {
            let now = seconds(vm, "date +%s")?;
            ensure!(now >= built, "{now} is before the OS image, {built}");
            Ok(())
        });
        checks.run("a clock that is set back while the machine runs", || {
            vm.ssh.ok(&format!("sudo date -s @{}", built - YEAR_SECS))?;
            vm.ssh.ok("docker ps && sudo system-docker ps")?;
            check_system_containers(vm)
        });
        let later = built + YEAR_SECS;
        vm.ssh.ok(&format!("sudo date -s @{later}"))?;
        plug_stick_in(vm)?;
        reboot(vm)?;
        checks.run("the time of the last shutdown", || {
            let now = seconds(vm, "date +%s")?;
            ensure!(now >= later, "{now} is before the last shutdown, {later}");
            Ok(())
        });
        checks.run("a stick configures nothing", || {
            // The stick's driver may load late.
            let both = "sudo blkid | grep -c ' LABEL=\"CIDATA\"' | grep -qx 2";
            vm.wait_until_ok(both, Deadline::secs(60))?;
            assert_ne!(vm.ssh.ok("hostname")?, "from-the-stick");
            let told = problems(vm)?;
            ensure!(told.is_empty(), "{told:?}");
            Ok(())
        });
        checks.finish()
    })
}

fn seconds(vm: &Vm, command: &str) -> Result<u64> {
    let text = vm.ssh.ok(command)?;
    let text = text.trim();
    text.parse()
        .with_context(|| format!("reading seconds from `{text}`"))
}

/// Plugs in a stick with a cloud-config that names the machine.
fn plug_stick_in(vm: &Vm) -> Result<()> {
    let folder = artifacts::fresh_dir("faults-second-boot-stick")?;
    let config = UserData::config("hostname: from-the-stick\n");
    let stick = seed::make(
        SeedKind::NocloudVfat,
        &config,
        None,
        vm.ssh.public_key(),
        &folder,
    )?
    .context("a stick without a seed")?;
    vm.qmp
        .command("device_add", json!({"driver": "qemu-xhci", "id": "xhci"}))?;
    vm.qmp.command(
        "blockdev-add",
        json!({
            "driver": "raw", "node-name": "stick", "read-only": true,
            "file": {"driver": "file", "filename": stick, "read-only": true},
        }),
    )?;
    vm.qmp.command(
        "device_add",
        json!({"driver": "usb-storage", "bus": "xhci.0", "drive": "stick", "removable": true}),
    )?;
    Ok(())
}
