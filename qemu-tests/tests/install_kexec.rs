//! Starts by kexec: a new disk starts without firmware at the end of its installation, and an installed machine starts
//! again so under Secure Boot.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::guest::{reboot, write_file};
use qemu_tests::fixtures::installation::{
    blank_disk, installed, installer, power_off, slot_status,
};
use qemu_tests::harness::spec::{DiskBus, Firmware};
use qemu_tests::{UserData, Vm, run};

const CONFIG: &str = "/home/rancher/installed.yml";

#[test]
#[ignore = "long: make test-install"]
fn a_kernel_starts_the_next_without_firmware() -> Result<()> {
    let disk = blank_disk("install-kexec-disk")?;
    let bus = DiskBus::Sata;
    let key = UserData::key_only;
    run("install-kexec", &installer(&disk, bus), &key(), |vm| {
        write_file(vm, CONFIG, "#cloud-config\nhostname: successor\n")?;
        let install = format!("sudo ros install -f -k -c {CONFIG} -d /dev/sda -a successor=first");
        start_next(vm, &install)?;
        check(vm)?;
        power_off(vm)
    })?;
    let secure = installed(&disk, bus, Firmware::OvmfSecureBoot);
    run("install-kexec-secure-boot", &secure, &key(), |vm| {
        vm.ssh
            .ok("sudo dmesg | grep 'Kernel is locked down from EFI Secure Boot'")?;
        vm.ssh.ok("sudo ros config boot --set successor=second")?;
        start_next(vm, "sudo reboot --kexec")?;
        check(vm)?;
        ensure!(
            vm.ssh.ok("cat /proc/cmdline")?.contains("successor=second"),
            "the stored words do not count"
        );
        // A reboot without the word goes through the firmware.
        reboot(vm)
    })
}

/// Runs a command that starts the next kernel, and waits until that is up. The machine sees no reset meanwhile.
fn start_next(vm: &Vm, command: &str) -> Result<()> {
    let (mark, resets) = (vm.console.mark(), vm.qmp.count_events("RESET"));
    // The session may die before its status is sent.
    vm.ssh.run_for(600, command).ok();
    vm.wait_up_again(mark)?;
    ensure!(
        vm.qmp.count_events("RESET") == resets,
        "the machine went through its firmware"
    );
    Ok(())
}

fn check(vm: &Vm) -> Result<()> {
    let seen = vm
        .ssh
        .ok("hostname; cat /proc/cmdline; findmnt -no SOURCE /home")?;
    ensure!(
        seen.starts_with("successor\n")
            && seen.contains("successor=")
            && seen.contains("/dev/sda5"),
        "{seen}"
    );
    let status = slot_status(vm)?;
    ensure!(
        status["running"] == "a" && status["slots"]["a"]["left"] == 5 && status["seen"] == true,
        "{status}"
    );
    Ok(())
}
