//! The ISO boots from CDs, under BIOS and UEFI; kernel and initrd boot without it. The seeds differ too. Every boot
//! medium under both firmwares, and VirtualBox's hardware, are in long_boot_media.rs.

use anyhow::Result;
use qemu_tests::{BootMedium, Chipset, Firmware, SeedKind, UserData, VmSpec, run};

fn check_boot(name: &str, spec: &VmSpec) -> Result<()> {
    let user_data = UserData::config("hostname: medium\n");
    run(&format!("medium-{name}"), spec, &user_data, |vm| {
        assert_eq!(vm.ssh.ok("hostname")?, "medium");
        assert_eq!(vm.ssh.ok("nproc")?, spec.cpus.to_string());
        vm.ssh.ok("docker version").map(drop)
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn bios_ide_cd() -> Result<()> {
    let spec = VmSpec {
        boot_medium: BootMedium::IdeCd,
        chipset: Chipset::Pc,
        seed: SeedKind::NocloudIso,
        ..VmSpec::default()
    };
    check_boot("bios-ide-cd", &spec)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn uefi_ahci_cd() -> Result<()> {
    let spec = VmSpec {
        firmware: Firmware::Ovmf,
        boot_medium: BootMedium::AhciCd,
        seed: SeedKind::ConfigDriveIso,
        ..VmSpec::default()
    };
    check_boot("uefi-ahci-cd", &spec)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn kernel_and_initrd_without_any_medium() -> Result<()> {
    let spec = VmSpec {
        boot_medium: BootMedium::Netboot,
        ..VmSpec::default()
    };
    check_boot("netboot", &spec)
}
