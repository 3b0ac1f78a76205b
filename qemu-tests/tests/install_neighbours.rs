//! An installed machine with other media beside its disk: a copy of it, a disk of another installation, and the stick that
//! it was installed from. The machine's own disk is taken, and a copy is said.

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::guest::problems;
use qemu_tests::fixtures::installation::{
    built_disk, copy_disk, installed, power_off, renew_guids, slot_status,
};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::paths;
use qemu_tests::harness::spawn::run_tool;
use qemu_tests::harness::spec::{BootMedium, DiskBus, Firmware};
use qemu_tests::{SeedKind, UserData, Vm, VmSpec, run};

/// The last disk; the kernel names the stick, the other machine's disk and the copy before it.
const OWN_DISK: &str = "/dev/vdd";
const COPY: &str = "/dev/vdc";

#[test]
#[ignore = "long: make test-install"]
fn the_machines_own_disk_is_taken_among_copies_and_strangers() -> Result<()> {
    let disk = built_disk("install-neighbours-disk")?;
    let copy = copy_disk(&disk, "install-neighbours-copy")?;
    let other = copy_disk(&disk, "install-neighbours-other")?;
    renew_guids(&other)?;
    // Other tests read the ISO too, so this machine gets a layer above it.
    let stick = artifacts::fresh_dir("install-neighbours-stick")?.join("stick.qcow2");
    let iso = paths::dist()
        .join("paddock.iso")
        .canonicalize()
        .context("finding the ISO (hint: make iso)")?;
    let (iso, layer) = (iso.to_string_lossy(), stick.to_string_lossy());
    run_tool(
        "qemu-img",
        &[
            "create", "-q", "-f", "qcow2", "-F", "raw", "-b", &iso, &layer,
        ],
    )?;
    let mut checks = Checks::default();
    for (name, firmware) in [("bios", Firmware::Seabios), ("uefi", Firmware::Ovmf)] {
        checks.run(name, || {
            let spec = VmSpec {
                boot_medium: BootMedium::LastDisk,
                disks: vec![stick.clone(), other.clone(), copy.clone(), disk.clone()],
                ..installed(&disk, DiskBus::Virtio, firmware)
            };
            let machine = format!("install-neighbours-{name}");
            run(&machine, &spec, &UserData::key_only(), |vm| {
                check_own_disk(vm)?;
                power_off(vm)
            })
        });
    }
    checks.run("a stick that is started", || {
        let spec = VmSpec {
            boot_medium: BootMedium::UsbStick,
            disks: vec![disk.clone()],
            seed: SeedKind::NocloudIso,
            ..VmSpec::default()
        };
        run(
            "install-neighbours-stick-boot",
            &spec,
            &UserData::key_only(),
            check_stick,
        )
    });
    for file in [&disk, &copy, &other] {
        std::fs::remove_file(file).ok();
    }
    checks.finish()
}

/// Slot, count and state are of the last disk, and the copy alone is a problem.
fn check_own_disk(vm: &Vm) -> Result<()> {
    let status = slot_status(vm)?;
    ensure!(
        status["disk"] == OWN_DISK
            && status["running"] == "a"
            && status["seen"] == true
            && status["slots"]["a"]["left"] == 5,
        "{status}"
    );
    let home = vm.ssh.ok("findmnt -no SOURCE -T /home/rancher")?;
    ensure!(home.starts_with(OWN_DISK), "/home is on {home}");
    let told = problems(vm)?;
    let copy = format!("{COPY} has the same identifiers");
    ensure!(told.len() == 1 && told[0].contains(&copy), "{told:?}");
    Ok(())
}

/// The system is the stick's, and the state is the machine's.
fn check_stick(vm: &Vm) -> Result<()> {
    let seen = vm
        .ssh
        .ok("sudo ros os status; findmnt -no SOURCE -T /home/rancher")?;
    ensure!(
        seen.contains("this machine is not installed") && seen.contains("/dev/vda5"),
        "{seen}"
    );
    let told = problems(vm)?;
    ensure!(told.is_empty(), "{told:?}");
    Ok(())
}
