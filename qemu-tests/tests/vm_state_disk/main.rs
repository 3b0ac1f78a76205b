//! With a state disk, a user's data and settings survive a reboot and a power cut.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::daemons::check_system_containers;
use qemu_tests::fixtures::guest::{problems, reboot, trust_registry};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::media::disk::make_state_disk;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::image::busybox;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

mod late_services;
mod status;
mod tls;
mod traces;

#[test]
#[ignore = "boots a VM: make test-vm"]
fn everything_survives_a_reboot_and_a_power_cut() -> Result<()> {
    let scratch = artifacts::fresh_dir("state-disk-registry")?;
    let registry = Registry::with_images(&scratch)?;
    let late = busybox(&scratch, &["sleep"], &[])?;
    let spec = VmSpec {
        disks: vec![make_grown_disk()?],
        ..VmSpec::default()
    };
    run("state-disk", &spec, &UserData::key_only(), |vm| {
        let root = vm.ssh.ok("findmnt -no FSTYPE -T /home/rancher")?;
        assert_eq!(root, "ext4", "the home is not on the state disk");
        let images = trust_registry(vm, &registry)?;
        traces::leave(vm, &images)?;
        tls::set_up(vm)?;
        late_services::enable(vm, &images)?;
        let before = traces::read_all(vm)?;
        reboot(vm)?;
        let mut checks = Checks::default();
        checks.run("traces after a reboot", || {
            assert_eq!(traces::read_all(vm)?, before);
            Ok(())
        });
        checks.run("settings", || traces::check_settings(vm));
        checks.run("unmounted before the reboot", || {
            traces::check_unmounted(vm)
        });
        checks.run("restart policies", || traces::check_containers(vm));
        checks.run("system containers", || check_system_containers(vm));
        checks.run("preloaded images", || traces::check_preloads(vm));
        checks.run("certificates", || tls::check(vm));
        checks.run("services without their image", || {
            late_services::check_without_image(vm)
        });
        registry.push("late", &late)?;
        checks.run("services with their image", || {
            late_services::check_with_image(vm)
        });
        checks.run("no problem is left", || no_problem_is_left(vm));
        checks.run("ros status", || status::check(vm));
        let before = traces::read_all(vm)?;
        checks.run("power cut", || cut_power(vm));
        checks.run("traces after a power cut", || {
            assert_eq!(traces::read_all(vm)?, before);
            check_system_containers(vm)?;
            traces::check_containers(vm)
        });
        checks.run("power-off", || power_off(vm));
        checks.finish()
    })
}

/// A disk of 2 GiB with a partition of 1 GiB, as after enlarging a virtual machine's disk.
fn make_grown_disk() -> Result<PathBuf> {
    let disk = make_state_disk(&artifacts::fresh_dir("state-disk-grown")?, 1024)?;
    File::options()
        .write(true)
        .open(&disk)
        .and_then(|file| file.set_len(2 << 30))
        .with_context(|| format!("enlarging {}", disk.display()))?;
    Ok(disk)
}

fn no_problem_is_left(vm: &Vm) -> Result<()> {
    let left = problems(vm)?;
    ensure!(left.is_empty(), "{left:?}");
    Ok(())
}

fn cut_power(vm: &Vm) -> Result<()> {
    vm.ssh.ok("sync")?;
    let mark = vm.console.mark();
    vm.qmp.command("system_reset", serde_json::json!({}))?;
    vm.wait_up_again(mark).map(drop)
}

fn power_off(vm: &Vm) -> Result<()> {
    // The session gets its status only by chance, so QEMU's events decide.
    vm.ssh.run_for(60, "sudo poweroff").ok();
    assert_eq!(vm.wait_shutdown(Deadline::secs(60))?, "guest-shutdown");
    vm.qmp.wait_closed(Deadline::secs(10))
}
