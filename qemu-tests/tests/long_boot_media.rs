//! Every boot medium under both firmwares, every CPU count, every seed, and VirtualBox's hardware.

use anyhow::{Context, Result};
use qemu_tests::{BootMedium, Chipset, Firmware, Nic, SeedKind, UserData, VmSpec, run};

fn check_boot(name: &str, spec: &VmSpec) -> Result<()> {
    run(&format!("long-{name}"), spec, &UserData::key_only(), |vm| {
        assert_eq!(vm.ssh.ok("nproc")?, spec.cpus.to_string());
        vm.ssh.ok("docker version").map(drop)
    })
    .with_context(|| name.to_owned())
}

#[test]
#[ignore = "long: make test-long"]
fn every_boot_medium_under_both_firmwares() -> Result<()> {
    for (firmware, boot_medium, chipset) in [
        (Firmware::Seabios, BootMedium::IdeCd, Chipset::Pc),
        (Firmware::Seabios, BootMedium::AhciCd, Chipset::Pc),
        (Firmware::Seabios, BootMedium::AhciCd, Chipset::Q35),
        (Firmware::Seabios, BootMedium::UsbStick, Chipset::Q35),
        (Firmware::Seabios, BootMedium::VirtioDisk, Chipset::Pc),
        (Firmware::Ovmf, BootMedium::IdeCd, Chipset::Pc),
        (Firmware::Ovmf, BootMedium::AhciCd, Chipset::Q35),
        (Firmware::Ovmf, BootMedium::UsbStick, Chipset::Q35),
        (Firmware::Ovmf, BootMedium::VirtioDisk, Chipset::Q35),
    ] {
        let spec = VmSpec {
            firmware,
            boot_medium,
            chipset,
            ..VmSpec::default()
        };
        check_boot(&format!("{firmware:?}-{boot_medium:?}-{chipset:?}"), &spec)?;
    }
    Ok(())
}

#[test]
#[ignore = "long: make test-long"]
fn every_cpu_count_and_card() -> Result<()> {
    for (cpus, nic) in [(1, Nic::VirtioNet), (2, Nic::E1000), (4, Nic::VirtioNet)] {
        check_boot(
            &format!("{cpus}-cpus"),
            &VmSpec {
                cpus,
                nic,
                ..VmSpec::default()
            },
        )?;
    }
    Ok(())
}

#[test]
#[ignore = "long: make test-long"]
fn every_seed() -> Result<()> {
    use SeedKind::{ConfigDriveIso, ConfigDriveShare, ConfigDriveVfat, NocloudIso, NocloudVfat};
    for seed in [
        NocloudIso,
        NocloudVfat,
        ConfigDriveIso,
        ConfigDriveVfat,
        ConfigDriveShare,
    ] {
        check_boot(
            &format!("{seed:?}"),
            &VmSpec {
                seed,
                ..VmSpec::default()
            },
        )?;
    }
    Ok(())
}

#[test]
#[ignore = "long: make test-long"]
fn virtualbox_hardware() -> Result<()> {
    let spec = VmSpec {
        boot_medium: BootMedium::AhciCd,
        chipset: Chipset::Pc,
        nic: Nic::E1000,
        smbios: vec!["type=1,product=VirtualBox".into()],
        seed: SeedKind::NocloudIso,
        ..VmSpec::default()
    };
    check_boot("virtualbox", &spec)
}
