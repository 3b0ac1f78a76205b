//! Secure Boot with each of Microsoft's authorities alone and with both: shim has a signature of each.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::installation::{built_disk, installed};
use qemu_tests::harness::spec::{Authority, BootMedium, DiskBus, Firmware};
use qemu_tests::{UserData, VmSpec, run};

static ALL: [Authority; 2] = [Authority::Uefi2011, Authority::Uefi2023];

#[test]
#[ignore = "long: make test-install"]
fn firmware_with_either_authority_of_microsoft_starts_the_system() -> Result<()> {
    let disk = built_disk("install-secure-boot-disk")?;
    let iso = VmSpec {
        boot_medium: BootMedium::AhciCd,
        firmware: Firmware::OvmfSecureBoot,
        ..VmSpec::default()
    };
    let mut checks = Checks::default();
    for (name, authorities, spec) in [
        ("2011", &ALL[..1], iso.clone()),
        ("2023", &ALL[1..], iso),
        (
            "both",
            &ALL[..],
            installed(&disk, DiskBus::Sata, Firmware::OvmfSecureBoot),
        ),
    ] {
        checks.run(name, || {
            let spec = VmSpec {
                authorities: authorities.to_vec(),
                ..spec
            };
            let machine = format!("install-secure-boot-{name}");
            run(&machine, &spec, &UserData::key_only(), |vm| {
                vm.ssh
                    .ok("sudo dmesg | grep 'Kernel is locked down from EFI Secure Boot'")?;
                let loaded = vm
                    .ssh
                    .ok("sudo dmesg | grep 'integrity: Loaded X.509 cert'")?;
                for authority in ALL {
                    let is_loaded = loaded.contains(authority.common_name());
                    ensure!(is_loaded == authorities.contains(&authority), "{loaded}");
                }
                vm.ssh.ok("docker info >/dev/null").map(drop)
            })
        });
    }
    std::fs::remove_file(&disk).ok();
    checks.finish()
}
