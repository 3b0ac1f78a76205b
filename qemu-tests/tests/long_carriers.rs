//! Every carrier under both firmwares, and every CPU count.

use anyhow::{Context, Result};
use qemu_tests::{Carrier, Chipset, Firmware, MachineSpec, Nic, SeedKind, UserData, run};

fn boots(name: &str, spec: &MachineSpec) -> Result<()> {
    run(
        &format!("long-{name}"),
        spec,
        &UserData::key_only(),
        |machine| {
            assert_eq!(machine.ssh.ok("nproc")?, spec.cpus.to_string());
            machine.ssh.ok("docker version").map(drop)
        },
    )
    .with_context(|| name.to_owned())
}

#[test]
#[ignore = "long: make test-long"]
fn every_carrier_under_both_firmwares() -> Result<()> {
    for (firmware, carrier, chipset) in [
        (Firmware::Seabios, Carrier::IdeCd, Chipset::Pc),
        (Firmware::Seabios, Carrier::AhciCd, Chipset::Pc),
        (Firmware::Seabios, Carrier::AhciCd, Chipset::Q35),
        (Firmware::Seabios, Carrier::UsbStick, Chipset::Q35),
        (Firmware::Seabios, Carrier::VirtioDisk, Chipset::Pc),
        (Firmware::Ovmf, Carrier::IdeCd, Chipset::Pc),
        (Firmware::Ovmf, Carrier::AhciCd, Chipset::Q35),
        (Firmware::Ovmf, Carrier::UsbStick, Chipset::Q35),
        (Firmware::Ovmf, Carrier::VirtioDisk, Chipset::Q35),
    ] {
        let spec = MachineSpec {
            firmware,
            carrier,
            chipset,
            ..MachineSpec::default()
        };
        boots(&format!("{firmware:?}-{carrier:?}-{chipset:?}"), &spec)?;
    }
    Ok(())
}

#[test]
#[ignore = "long: make test-long"]
fn every_cpu_count_and_card() -> Result<()> {
    for (cpus, nic) in [(1, Nic::VirtioNet), (2, Nic::E1000), (4, Nic::VirtioNet)] {
        boots(
            &format!("{cpus}-cpus"),
            &MachineSpec {
                cpus,
                nic,
                ..MachineSpec::default()
            },
        )?;
    }
    Ok(())
}

#[test]
#[ignore = "long: make test-long"]
fn every_seed() -> Result<()> {
    use SeedKind::{ConfigDriveIso, ConfigDriveVfat, NocloudIso, NocloudVfat};
    for seed in [NocloudIso, NocloudVfat, ConfigDriveIso, ConfigDriveVfat] {
        boots(
            &format!("{seed:?}"),
            &MachineSpec {
                seed,
                ..MachineSpec::default()
            },
        )?;
    }
    Ok(())
}

#[test]
#[ignore = "long: make test-long"]
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
