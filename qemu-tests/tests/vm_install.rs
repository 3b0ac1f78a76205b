//! An installation to a disk: a machine is installed from the ISO, and boots from the disk by BIOS and by UEFI with
//! Secure Boot. Its configuration, its data and the counts of its slots last.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::installation::{
    blank_disk, install, installed, installer, power_off, slot_status,
};
use qemu_tests::harness::spec::{DiskBus, Firmware};
use qemu_tests::{UserData, Vm, run};

const CLOUD_CONFIG: &str =
    "#cloud-config\nhostname: installed\nwrite_files:\n- path: /etc/from-config\n  content: kept\n";

#[test]
#[ignore = "boots a VM: make test-vm"]
fn an_installed_machine_boots_by_bios_and_by_secure_boot_and_keeps_its_data() -> Result<()> {
    let disk = blank_disk("install-disk")?;
    let bus = DiskBus::Sata;
    let key = UserData::key_only;
    run("install", &installer(&disk, bus), &key(), |vm| {
        install(vm, "/dev/sda", CLOUD_CONFIG, "--append 'loglevel=4'")
    })?;
    let bios = installed(&disk, bus, Firmware::Seabios);
    run("install-bios", &bios, &key(), |vm| {
        check_installed(vm)?;
        ensure!(vm.ssh.ok("cat /proc/cmdline")?.contains("loglevel=4"));
        vm.ssh.ok("docker volume create kept && echo data | sudo tee /var/lib/docker/volumes/kept/_data/file")?;
        power_off(vm)
    })?;
    let secure = installed(&disk, bus, Firmware::OvmfSecureBoot);
    run("install-secure-boot", &secure, &key(), |vm| {
        check_installed(vm)?;
        vm.ssh
            .ok("sudo dmesg | grep 'Kernel is locked down from EFI Secure Boot'")?;
        let kept = vm
            .ssh
            .ok("sudo cat /var/lib/docker/volumes/kept/_data/file")?;
        ensure!(kept.trim() == "data", "the volume holds {kept}");
        Ok(())
    })
}

/// The configuration counts, the state is on the disk, and the start has been given back.
fn check_installed(vm: &Vm) -> Result<()> {
    let seen = vm
        .ssh
        .ok("hostname; cat /etc/from-config; findmnt -no SOURCE /home")?;
    ensure!(
        seen.starts_with("installed\nkept") && seen.contains("/dev/sda5"),
        "{seen}"
    );
    let status = slot_status(vm)?;
    ensure!(
        status["running"] == "a" && status["slots"]["a"]["left"] == 5 && status["seen"] == true,
        "{status}"
    );
    // Nobody is logged in without a password on a machine that others can reach.
    let console = vm.console.text();
    let last = console.rsplit("ros: up in").next().unwrap_or_default();
    ensure!(
        !last.contains("rancher@installed:~$"),
        "the console is logged in"
    );
    Ok(())
}
