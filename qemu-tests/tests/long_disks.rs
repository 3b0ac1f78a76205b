//! Several disks on a machine: which is the state disk, and which data source configures the machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::guest::{problems, reboot, ros_ok};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::media::disk::make_state_disk;
use qemu_tests::harness::media::seed;
use qemu_tests::harness::spawn::run_tool;
use qemu_tests::harness::spec::DiskBus;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{Chipset, SeedKind, UserData, Vm, VmSpec, run};
use serde_json::{Value, json};

/// The UUIDs that the firmware gives three machines.
const MACHINES: [&str; 3] = [
    "5f0c3f1e-8a1b-4a52-9d1c-0a0000000001",
    "5f0c3f1e-8a1b-4a52-9d1c-0a0000000002",
    "5f0c3f1e-8a1b-4a52-9d1c-0a0000000003",
];

/// Boots the machine with this number and these disks, and powers it off in order.
fn boot(number: usize, disks: &[&Path], body: impl FnOnce(&Vm) -> Result<()>) -> Result<()> {
    let spec = VmSpec {
        smbios: vec![format!("type=1,uuid={}", MACHINES[number])],
        disks: disks.iter().map(|disk| disk.to_path_buf()).collect(),
        ..VmSpec::default()
    };
    let name = format!("long-disks-machine-{number}");
    run(&name, &spec, &UserData::key_only(), |vm| {
        body(vm)?;
        // The session gets its status only by chance, so QEMU's events decide.
        vm.ssh.run_for(60, "sudo poweroff").ok();
        assert_eq!(vm.wait_shutdown(Deadline::secs(120))?, "guest-shutdown");
        Ok(())
    })
}

fn state_disk(name: &str) -> Result<PathBuf> {
    make_state_disk(&artifacts::fresh_dir(&format!("long-disks-{name}"))?, 1024)
}

#[test]
#[ignore = "long: make test-long"]
fn the_state_disk_is_the_disk_that_this_machine_used_first() -> Result<()> {
    let (own, other) = (state_disk("own")?, state_disk("other")?);
    for (number, disk) in [(0, &own), (1, &other)] {
        boot(number, &[disk], |vm| {
            vm.ssh.ok(&format!("echo {number} >~/machine && sync"))?;
            let told = problems(vm)?;
            ensure!(told.is_empty(), "{told:?}");
            Ok(())
        })?;
    }
    // The kernel names the other disk first.
    boot(0, &[&other, &own], |vm| {
        assert_eq!(vm.ssh.ok("cat ~/machine")?, "0");
        let told = problems(vm)?;
        ensure!(told.is_empty(), "{told:?}");
        Ok(())
    })?;
    boot(2, &[&other, &own], |vm| {
        let told = problems(vm)?.join("\n");
        ensure!(told.contains("can each be the state disk"), "{told}");
        Ok(())
    })?;
    boot(2, &[&other], |vm| {
        assert_eq!(vm.ssh.ok("cat ~/machine")?, "1");
        let status: Value = serde_json::from_str(&vm.ssh.ok("sudo ros status --format json")?)?;
        let warnings = status["warnings"].to_string();
        ensure!(
            status["healthy"] == true && warnings.contains("another machine used it first"),
            "{status}"
        );
        // The command of the hint.
        vm.ssh
            .ok("sudo nsenter --target 1 --mount rm /state/paddock/machine")?;
        reboot(vm)?;
        assert_eq!(vm.ssh.ok("cat ~/machine")?, "1");
        let told = problems(vm)?;
        ensure!(told.is_empty(), "{told:?}");
        Ok(())
    })
}

#[test]
#[ignore = "long: make test-long"]
fn a_state_disk_on_usb_that_appears_late_is_used() -> Result<()> {
    let spec = VmSpec {
        disks: vec![state_disk("late-disk")?],
        disk_bus: DiskBus::Usb,
        // The driver looks at the disk after so many seconds, as a slow stick lets it wait.
        append: "usb-storage.delay_use=6".to_owned(),
        ..VmSpec::default()
    };
    run("long-disks-late", &spec, &UserData::key_only(), |vm| {
        let parameter = "/sys/module/usb_storage/parameters/delay_use";
        let delay = vm.ssh.ok(&format!("cat {parameter}"))?;
        ensure!(delay.starts_with('6'), "{delay}");
        let source = vm.ssh.ok("findmnt -no SOURCE -T /home/rancher")?;
        ensure!(source.starts_with("/dev/sd"), "{source}");
        let told = problems(vm)?;
        ensure!(told.is_empty(), "{told:?}");
        Ok(())
    })
}

#[test]
#[ignore = "long: make test-long"]
fn a_machine_is_configured_by_its_own_data_source_and_when_it_is_locked_by_none() -> Result<()> {
    let spec = VmSpec {
        chipset: Chipset::Pc,
        state_disk_mb: Some(1024),
        seed: SeedKind::ConfigDriveVfat,
        ..VmSpec::default()
    };
    let first = UserData::config("hostname: first\n");
    run("long-disks-seeds", &spec, &first, |vm| {
        let mut checks = Checks::default();
        let check_name = |expected: &str| {
            assert_eq!(vm.ssh.ok("hostname")?, expected);
            Ok(())
        };
        checks.run("a locked machine", || {
            ros_ok(vm, "config set rancher.cloud_init.lock true")?;
            write_seed(vm, "second", "harness")?;
            reboot(vm)?;
            check_name("first")
        });
        checks.run("the same instance-id with other user-data", || {
            ros_ok(vm, "config set rancher.cloud_init.lock false")?;
            reboot(vm)?;
            check_name("second")
        });
        checks.run("a new instance-id", || {
            let mark = vm.console.mark();
            write_seed(vm, "third", "another")?;
            reboot(vm)?;
            vm.console
                .wait_for_after(mark, "has another instance-id", Deadline::secs(1))?;
            check_name("third")
        });
        checks.run("a disk with another machine's seed", || {
            let mark = vm.console.mark();
            plug_foreign_seed_in(vm)?;
            reboot(vm)?;
            vm.console
                .wait_for_after(mark, "is not used", Deadline::secs(1))?;
            // The seed of another machine is on a disk of a kind that is looked at first.
            vm.ssh.ok("sudo blkid | grep CIDATA")?;
            check_name("third")
        });
        checks.finish()
    })
}

/// Gives the config drive of a running machine another host name and instance-id. The machine reads it at its next boot.
fn write_seed(vm: &Vm, hostname: &str, id: &str) -> Result<()> {
    let key = vm.ssh.public_key();
    let document = UserData::config(&format!("hostname: {hostname}\n")).document(key);
    let metadata = json!({"uuid": id, "public_keys": {"harness": key}}).to_string();
    let image = vm.dir.join("seed.img");
    for (name, content) in [
        ("user_data", document.as_slice()),
        ("meta_data.json", metadata.as_bytes()),
    ] {
        let to = format!("::openstack/latest/{name}");
        copy_into(&image, &vm.dir.join(name), content, &to)?;
    }
    Ok(())
}

/// Writes a file and copies it into an image with FAT, in place of a file there.
fn copy_into(image: &Path, file: &Path, content: &[u8], to: &str) -> Result<()> {
    std::fs::write(file, content).with_context(|| format!("writing {}", file.display()))?;
    let (image, file) = (image.to_string_lossy(), file.to_string_lossy());
    run_tool("mcopy", &["-o", "-i", &image, &file, to]).map(drop)
}

/// Plugs in a disk with a seed of NoCloud that has an instance-id of its own.
fn plug_foreign_seed_in(vm: &Vm) -> Result<()> {
    let folder = artifacts::fresh_dir("long-disks-foreign-seed")?;
    let config = UserData::config("hostname: foreign\n");
    let disk = seed::make(
        SeedKind::NocloudVfat,
        &config,
        None,
        vm.ssh.public_key(),
        &folder,
    )?
    .context("a disk without a seed")?;
    let meta_data = b"instance-id: foreign\n";
    copy_into(&disk, &folder.join("meta-data"), meta_data, "::meta-data")?;
    vm.qmp.command(
        "blockdev-add",
        json!({
            "driver": "raw", "node-name": "foreign", "read-only": true,
            "file": {"driver": "file", "filename": disk, "read-only": true},
        }),
    )?;
    let device = json!({"driver": "virtio-blk-pci", "drive": "foreign"});
    vm.qmp.command("device_add", device).map(drop)
}
