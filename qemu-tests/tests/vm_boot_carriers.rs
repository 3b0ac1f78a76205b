//! The ISO boots from whatever carries it, under both firmwares; kernel and
//! initrd boot without it. Seed kinds vary along; every carrier under
//! both firmwares, and VirtualBox's hardware, are in long_carriers.rs.

use anyhow::Result;
use qemu_tests::{Carrier, Chipset, Firmware, MachineSpec, SeedKind, UserData, run};

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
fn kernel_and_initrd_without_any_medium() -> Result<()> {
    let spec = MachineSpec {
        carrier: Carrier::Netboot,
        ..MachineSpec::default()
    };
    boots("netboot", &spec)
}
