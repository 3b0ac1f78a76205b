//! The images of disks that `make images` makes, each booted with a seed of a hypervisor, and a boot over the network by a
//! card's own iPXE.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::installation::{installed, power_off, slot_status};
use qemu_tests::harness::spawn::run_tool;
use qemu_tests::harness::spec::{BootMedium, DiskBus, Firmware};
use qemu_tests::harness::{artifacts, paths};
use qemu_tests::{SeedKind, UserData, VmSpec, run};

const GROWN_BYTES: u64 = 20 << 30;
/// Less than the whole disk: the other partitions and the filesystem's own tables take the rest.
const LEAST_STATE_BYTES: u64 = 17 << 30;

#[test]
#[ignore = "long: make test-install"]
fn images_of_disks_start_with_a_seed_and_grow() -> Result<()> {
    let appliance = artifacts::fresh_dir("install-images-appliance")?;
    let archive = paths::dist().join("paddock.ova");
    let (archive, folder) = (archive.to_string_lossy(), appliance.to_string_lossy());
    run_tool("tar", &["-xf", &archive, "-C", &folder])?;
    let built = |name: &str| paths::dist().join(name);
    let mut checks = Checks::default();
    checks.run("vdi", || {
        // A disk with the same content as one that is started.
        let (started, vdi) = (built("paddock.qcow2"), built("paddock.vdi"));
        let (started, vdi) = (started.to_string_lossy(), vdi.to_string_lossy());
        let compare = ["compare", "-q", "-f", "qcow2", "-F", "vdi", &started, &vdi];
        run_tool("qemu-img", &compare).map(drop)
    });
    for (format, image, bus, firmware, seed) in [
        (
            "qcow2",
            built("paddock.qcow2"),
            DiskBus::Virtio,
            Firmware::Seabios,
            SeedKind::NocloudIso,
        ),
        (
            "vmdk",
            appliance.join("paddock-disk1.vmdk"),
            DiskBus::Sata,
            Firmware::Ovmf,
            SeedKind::ConfigDriveIso,
        ),
        (
            "vhdx",
            built("paddock.vhdx"),
            DiskBus::Sata,
            Firmware::OvmfSecureBoot,
            SeedKind::NocloudIso,
        ),
    ] {
        checks.run(format, || {
            let disk = grow(&image, format)?;
            let spec = VmSpec {
                seed,
                ..installed(&disk, bus, firmware)
            };
            let user_data = UserData::config("hostname: cloned\n");
            run(
                &format!("install-images-{format}"),
                &spec,
                &user_data,
                |vm| {
                    assert_eq!(vm.ssh.ok("hostname")?, "cloned");
                    let size = vm
                        .ssh
                        .ok("df --output=size --block-size=1 /home | tail -1")?;
                    let size: u64 = size
                        .trim()
                        .parse()
                        .context("reading the size of the state")?;
                    ensure!(size > LEAST_STATE_BYTES, "the state has {size} bytes");
                    let status = slot_status(vm)?;
                    ensure!(
                        status["running"] == "a" && status["seen"] == true,
                        "{status}"
                    );
                    vm.ssh.ok("docker info >/dev/null")?;
                    power_off(vm)
                },
            )
        });
    }
    checks.finish()
}

/// A larger disk whose content is the image; the image stays as it is.
fn grow(image: &Path, format: &str) -> Result<PathBuf> {
    let disk = artifacts::fresh_dir(&format!("install-images-{format}-disk"))?.join("disk.qcow2");
    let image = image
        .canonicalize()
        .with_context(|| format!("finding {} (hint: make images)", image.display()))?;
    let (image, grown) = (image.to_string_lossy(), GROWN_BYTES.to_string());
    let target = disk.to_string_lossy();
    run_tool(
        "qemu-img",
        &[
            "create", "-q", "-f", "qcow2", "-F", format, "-b", &image, &target, &grown,
        ],
    )?;
    Ok(disk)
}

#[test]
#[ignore = "long: make test-install"]
fn a_network_card_boots_the_system_by_its_script() -> Result<()> {
    let spec = VmSpec {
        boot_medium: BootMedium::Pxe,
        memory_mb: 2048,
        seed: SeedKind::NocloudIso,
        ..VmSpec::default()
    };
    run(
        "install-pxe",
        &spec,
        &UserData::config("hostname: remote\n"),
        |vm| {
            assert_eq!(vm.ssh.ok("hostname")?, "remote");
            vm.ssh
                .ok("docker info >/dev/null && sudo system-docker info >/dev/null")?;
            let output = vm.ssh.run_for(60, "sudo ros install -d /dev/vda --yes")?;
            ensure!(
                output.status != 0 && output.stderr.contains("without a medium"),
                "{output:?}"
            );
            Ok(())
        },
    )
}
