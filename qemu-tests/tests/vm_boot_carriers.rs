//! The ISO boots from whatever carries it, under both firmwares; kernel and
//! initrd boot without it. CPU counts and seed kinds vary along; every
//! carrier under both firmwares is in long_carriers.rs.

use anyhow::Result;
use qemu_tests::{Carrier, Chipset, Firmware, MachineSpec, Nic, SeedKind, UserData, run};

fn boots(name: &str, spec: &MachineSpec) -> Result<()> {
    let user_data = UserData::config("hostname: carrier\n");
    run(&format!("carrier-{name}"), spec, &user_data, |machine| {
        assert_eq!(machine.ssh.ok("hostname")?, "carrier");
        assert_eq!(machine.ssh.ok("nproc")?, spec.cpus.to_string());
        machine.ssh.ok("docker version").map(drop)
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn bios_ide_cd() -> Result<()> {
    let spec = MachineSpec {
        carrier: Carrier::IdeCd,
        chipset: Chipset::Pc,
        seed: SeedKind::NocloudIso,
        ..MachineSpec::default()
    };
    boots("bios-ide-cd", &spec)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn uefi_ahci_cd() -> Result<()> {
    let spec = MachineSpec {
        firmware: Firmware::Ovmf,
        carrier: Carrier::AhciCd,
        seed: SeedKind::ConfigDriveIso,
        ..MachineSpec::default()
    };
    boots("uefi-ahci-cd", &spec)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn bios_usb_stick_one_cpu() -> Result<()> {
    let spec = MachineSpec {
        carrier: Carrier::UsbStick,
        cpus: 1,
        seed: SeedKind::ConfigDriveVfat,
        ..MachineSpec::default()
    };
    boots("bios-usb-stick", &spec)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn kernel_and_initrd_without_any_medium() -> Result<()> {
    let spec = MachineSpec {
        carrier: Carrier::Netboot,
        ..MachineSpec::default()
    };
    boots("netboot", &spec)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn virtualbox_hardware() -> Result<()> {
    let spec = MachineSpec {
        carrier: Carrier::AhciCd,
        chipset: Chipset::Pc,
        nic: Nic::E1000,
        smbios: vec!["type=1,product=VirtualBox".into()],
        seed: SeedKind::NocloudIso,
        ..MachineSpec::default()
    };
    boots("virtualbox", &spec)
}
