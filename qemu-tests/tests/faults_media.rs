//! The boot medium goes while the machine runs: a message names it, and a shutdown begins. With `paddock.toram` all goes
//! on.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::daemons::check_system_containers;
use qemu_tests::fixtures::guest::{problems, trust_registry};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::qemu::argv::BOOT_DEVICE;
use qemu_tests::harness::spec::{BootMedium, Chipset};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec};
use serde_json::json;

/// What the kernel says about a medium that is gone.
const EXPECTED: [&str; 2] = ["I/O error, dev", "SQUASHFS error"];
/// A probe of the drive each half a minute, and time for a busy host.
const NOTICE_TIMEOUT_SECS: u64 = 120;

/// Boots, takes the medium out, and waits for the message with a node that begins with
/// `node` and for the shutdown.
fn pull(
    name: &str,
    boot_medium: BootMedium,
    node: &str,
    take: fn(&Vm) -> Result<()>,
) -> Result<()> {
    let spec = VmSpec {
        boot_medium,
        // The firmware has nothing to boot from after the reset.
        reboots: false,
        ..VmSpec::default()
    };
    let vm = Vm::start(name, &spec, &UserData::key_only())?;
    let result = vm.wait_up().and_then(|_| {
        let mark = vm.console.mark();
        take(&vm)?;
        let noticed = Deadline::secs(NOTICE_TIMEOUT_SECS);
        let said = vm
            .console
            .wait_line_after(mark, "the boot medium", noticed)?;
        ensure!(
            said.contains(&format!("the boot medium {node}")) && said.contains(" is gone"),
            "{said}"
        );
        vm.console
            .wait_for_after(mark, "ros: reboot (the boot medium is gone)", noticed)
    });
    vm.finish_despite(&EXPECTED, result)
}

#[test]
#[ignore = "long: make test-faults"]
fn a_stick_that_is_pulled_is_named_and_a_shutdown_begins() -> Result<()> {
    pull("faults-stick", BootMedium::UsbStick, "/dev/sd", |vm| {
        vm.qmp
            .command("device_del", json!({"id": BOOT_DEVICE}))
            .map(drop)
    })
}

#[test]
#[ignore = "long: make test-faults"]
fn a_cd_that_is_ejected_is_named_and_a_shutdown_begins() -> Result<()> {
    pull("faults-cd", BootMedium::AhciCd, "/dev/sr", |vm| {
        vm.qmp
            .command("eject", json!({"id": BOOT_DEVICE, "force": true}))
            .map(drop)
    })
}

#[test]
#[ignore = "long: make test-faults"]
fn a_machine_in_memory_needs_no_medium() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("faults-toram-registry")?)?;
    let spec = VmSpec {
        // A disk of this chipset can be unplugged.
        chipset: Chipset::Pc,
        append: "paddock.toram".into(),
        ..VmSpec::default()
    };
    let vm = Vm::start("faults-toram", &spec, &UserData::key_only())?;
    let result = vm.wait_up().and_then(|_| {
        vm.qmp.command("device_del", json!({"id": BOOT_DEVICE}))?;
        vm.qmp.wait_event("DEVICE_DELETED", Deadline::secs(60))?;
        // Everything is read anew, from what is in memory.
        vm.ssh.ok("echo 3 | sudo tee /proc/sys/vm/drop_caches")?;
        vm.ssh.hang_up();
        vm.wait_ssh(Deadline::secs(60))?;
        let busybox = format!("{}/busybox", trust_registry(&vm, &registry)?);
        let said = vm
            .ssh
            .ok_for(240, &format!("docker run --rm {busybox} echo moo"))?;
        ensure!(said.contains("moo"), "{said}");
        check_system_containers(&vm)?;
        let told = problems(&vm)?;
        ensure!(told.is_empty(), "{told:?}");
        vm.ssh.run_for(60, "sudo poweroff").ok();
        assert_eq!(vm.wait_shutdown(Deadline::secs(120))?, "guest-shutdown");
        Ok(())
    });
    vm.finish(result)
}
