//! Installations to every kind of disk, and boots from it by the firmware that machines with such disks have.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::guest::reboot;
use qemu_tests::fixtures::installation::{
    blank_disk, install, installed, installer, power_off, slot_status,
};
use qemu_tests::harness::spec::{DiskBus, Firmware};
use qemu_tests::{UserData, Vm, VmSpec, run};

/// The last disk is larger than a partition table of MS-DOS could say.
const LARGE_DISK_BYTES: u64 = 3 << 40;

#[test]
#[ignore = "long: make test-install"]
fn every_kind_of_disk_is_installed_and_starts() -> Result<()> {
    let mut checks = Checks::default();
    for (name, bus, sector_bytes, firmware, node) in [
        (
            "virtio",
            DiskBus::Virtio,
            512,
            Firmware::Seabios,
            "/dev/vdc",
        ),
        ("nvme", DiskBus::Nvme, 512, Firmware::Ovmf, "/dev/nvme0n1"),
        ("usb", DiskBus::Usb, 512, Firmware::Seabios, "/dev/sda"),
        ("4kn", DiskBus::Nvme, 4096, Firmware::Ovmf, "/dev/nvme0n1"),
        ("large", DiskBus::Sata, 512, Firmware::Ovmf, "/dev/sda"),
    ] {
        checks.run(name, || {
            let disk = blank_disk(&format!("install-disks-{name}"))?;
            if name == "large" {
                std::fs::File::options()
                    .write(true)
                    .open(&disk)?
                    .set_len(LARGE_DISK_BYTES)?;
            }
            let with_sectors = |spec: VmSpec| VmSpec {
                sector_bytes,
                ..spec
            };
            let spec = with_sectors(installer(&disk, bus));
            run(
                &format!("install-{name}"),
                &spec,
                &UserData::key_only(),
                |vm| install(vm, node, "#cloud-config\nhostname: disk\n", ""),
            )?;
            let spec = with_sectors(installed(&disk, bus, firmware));
            run(
                &format!("installed-{name}"),
                &spec,
                &UserData::key_only(),
                |vm| {
                    check(vm)?;
                    vm.ssh.ok("docker volume create kept && sync")?;
                    reboot(vm)?;
                    check(vm)?;
                    vm.ssh.ok("docker volume inspect kept >/dev/null")?;
                    power_off(vm)
                },
            )
        });
    }
    checks.finish()
}

fn check(vm: &Vm) -> Result<()> {
    assert_eq!(vm.ssh.ok("hostname")?, "disk");
    let status = slot_status(vm)?;
    ensure!(
        status["running"] == "a" && status["slots"]["a"]["left"] == 5 && status["seen"] == true,
        "{status}"
    );
    Ok(())
}
