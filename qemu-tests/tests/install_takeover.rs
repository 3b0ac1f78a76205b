//! Disks of RancherOS 1.5 and BurmillaOS 2.0, started by the ISO: configuration, homes, `/opt` and Docker's volumes stay.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::guest::problems;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::spawn::{run_tool, run_tool_with_input};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{SeedKind, UserData, Vm, VmSpec, run};

const MIB: u64 = 1 << 20;
const DISK_MIB: u64 = 2048;
/// The ISO is the disk before it.
const PARTITION: &str = "/dev/vdb1";
/// User and group `rancher` of RancherOS.
const RANCHER: u32 = 1100;
const INSTALLED_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f installed";
const OWN_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA by-hand";

/// The files of a disk in use, with their modes. The home is the user's, all else is root's.
const FILES: [(&str, u32, &str); 8] = [
    // What `ros config set` has written counts for more than the file of the installation.
    (
        "var/lib/rancher/conf/cloud-config.yml",
        0o600,
        "hostname: veteran\nrancher:\n  sysctl:\n    vm.swappiness: 7\n",
    ),
    (
        "boot/global.cfg",
        0o644,
        "APPEND rancher.state.dev=LABEL=RANCHER_STATE\n",
    ),
    ("home/rancher/.ssh/authorized_keys", 0o600, OWN_KEY),
    ("home/rancher/notes", 0o644, "mine"),
    ("opt/data/table", 0o644, "rows"),
    (
        "opt/rancher/bin/start.sh",
        0o755,
        "#!/bin/sh\necho ran >/opt/started\n",
    ),
    ("var/lib/user-docker/volumes/kept/_data/file", 0o644, "data"),
    (
        "var/lib/system-docker/image/overlay2/repositories.json",
        0o600,
        "{}",
    ),
];

#[test]
#[ignore = "long: make test-install"]
fn disks_of_rancheros_and_burmillaos_keep_everything() -> Result<()> {
    let mut checks = Checks::default();
    for (name, partitions) in [
        ("rancheros", "label: dos\nstart=1MiB, type=83, bootable\n"),
        // `-t gptsyslinux`; attribute 2 is that of a boot loader.
        (
            "burmillaos",
            "label: gpt\nstart=1MiB, type=linux, attrs=\"LegacyBIOSBootable\"\n",
        ),
    ] {
        checks.run(name, || {
            let spec = VmSpec {
                disks: vec![make_disk(name, partitions)?],
                seed: SeedKind::NocloudIso,
                ..VmSpec::default()
            };
            let machine = format!("install-takeover-{name}");
            run(&machine, &spec, &UserData::key_only(), check)
        });
    }
    checks.finish()
}

/// A disk as the installer of RancherOS makes it: one partition with the root of the installed system.
fn make_disk(name: &str, partitions: &str) -> Result<PathBuf> {
    let folder = artifacts::fresh_dir(&format!("install-takeover-{name}-disk"))?;
    let tree = folder.join("tree");
    let config =
        format!("#cloud-config\nhostname: {name}\nssh_authorized_keys:\n- {INSTALLED_KEY}\n");
    let installed = "var/lib/rancher/conf/cloud-config.d/user_config.yml";
    let files = FILES.iter().copied();
    for (path, mode, content) in files.chain([(installed, 0o600, config.as_str())]) {
        add_file(&tree, path, mode, content)?;
    }
    let disk = folder.join("disk.img");
    fs::File::create(&disk)
        .and_then(|file| file.set_len(DISK_MIB * MIB))
        .with_context(|| format!("creating {}", disk.display()))?;
    let (path, tree) = (disk.to_string_lossy(), tree.to_string_lossy());
    run_tool_with_input("sfdisk", &["-q", &path], partitions.as_bytes())?;
    let offset = format!("offset={MIB}");
    let blocks = format!("{}k", (DISK_MIB - 2) * 1024);
    run_tool(
        "mkfs.ext4",
        &[
            "-q",
            "-F",
            "-i",
            "4096",
            "-O",
            "^64bit",
            "-L",
            "RANCHER_STATE",
            "-d",
            &tree,
            "-E",
            &offset,
            &path,
            &blocks,
        ],
    )?;
    Ok(disk)
}

fn add_file(tree: &Path, path: &str, mode: u32, content: &str) -> Result<()> {
    let adding = || format!("adding {path} to a disk");
    let file = tree.join(path);
    let folder = file.parent().with_context(adding)?;
    fs::create_dir_all(folder).with_context(adding)?;
    fs::write(&file, content).with_context(adding)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).with_context(adding)?;
    // Every folder of the home is the user's too.
    let mut part = file.as_path();
    while part.starts_with(tree.join("home/rancher")) {
        chown(part, Some(RANCHER), Some(RANCHER)).with_context(adding)?;
        part = part.parent().with_context(adding)?;
    }
    Ok(())
}

fn check(vm: &Vm) -> Result<()> {
    let home = vm.ssh.ok("findmnt -no SOURCE -T /home/rancher")?;
    ensure!(home.starts_with(PARTITION), "/home is on {home}");
    vm.wait_until_ok("test -s /opt/started", Deadline::secs(60))?;
    let seen = vm.ssh.ok(
        "hostname; stat -c %U ~/notes ~/.ssh/authorized_keys; cat /proc/sys/vm/swappiness; \
         cat ~/notes /opt/data/table /opt/started",
    )?;
    ensure!(
        seen == "veteran\nrancher\nrancher\n7\nminerowsran",
        "{seen}"
    );
    let volume = vm
        .ssh
        .ok("sudo cat $(docker volume inspect -f '{{.Mountpoint}}' kept)/file")?;
    ensure!(volume == "data", "the volume holds {volume}");
    let keys = vm
        .ssh
        .ok("sudo cat /run/ssh-keys/rancher ~/.ssh/authorized_keys")?;
    ensure!(
        keys.contains(INSTALLED_KEY) && keys.contains(OWN_KEY),
        "{keys}"
    );
    // The old system stays beside the state.
    let old = "test -f /state/boot/global.cfg";
    vm.ssh
        .ok(&format!("sudo nsenter --target 1 --mount {old}"))?;
    let told = problems(vm)?;
    ensure!(told.is_empty(), "{told:?}");
    Ok(())
}
