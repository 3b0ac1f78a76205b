//! `rancher.state` on the kernel line, and new disks of docker-machine: what becomes the state disk.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::guest::{problems, reboot};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::media::disk::make_state_disk;
use qemu_tests::harness::spawn::run_tool;
use qemu_tests::{UserData, Vm, VmSpec, run};

/// The first of the disks that a test made: the ISO and the seed come before it.
const FIRST: &str = "/dev/vdc";
const SECOND: &str = "/dev/vdd";

fn spec(disks: &[&Path], append: &str) -> VmSpec {
    VmSpec {
        disks: disks.iter().map(|disk| disk.to_path_buf()).collect(),
        append: append.to_owned(),
        ..VmSpec::default()
    }
}

fn blank_disk(name: &str) -> Result<PathBuf> {
    let disk = artifacts::fresh_dir(&format!("long-state-{name}"))?.join("disk.img");
    File::create(&disk)
        .and_then(|file| file.set_len(1 << 30))
        .with_context(|| format!("creating {}", disk.display()))?;
    Ok(disk)
}

/// Fails unless `/home` is on this device, and nothing is wrong.
fn check_state(vm: &Vm, node: &str) -> Result<()> {
    let source = vm.ssh.ok("findmnt -no SOURCE -T /home/rancher")?;
    ensure!(source.starts_with(node), "/home is on {source}");
    let told = problems(vm)?;
    ensure!(told.is_empty(), "{told:?}");
    Ok(())
}

#[test]
#[ignore = "long: make test-long"]
fn an_empty_disk_that_the_kernel_line_names_becomes_the_state_disk() -> Result<()> {
    let (used, empty) = (blank_disk("used")?, blank_disk("empty")?);
    // A photograph, say.
    File::options()
        .write(true)
        .open(&used)
        .and_then(|file| file.write_all_at(b"JFIF", 6))
        .context("writing on a disk")?;
    let line = format!(
        "rancher.state.autoformat=[{FIRST},{SECOND}] rancher.state.script=\"echo ran >/run/ros/script-ran\""
    );
    run(
        "long-state-autoformat",
        &spec(&[&used, &empty], &line),
        &UserData::key_only(),
        |vm| {
            check_state(vm, SECOND)?;
            let ran = vm
                .ssh
                .ok("sudo nsenter --target 1 --mount cat /run/ros/script-ran")?;
            assert_eq!(ran.trim(), "ran");
            let head = vm.ssh.ok(&format!("sudo head -c 10 {FIRST} | tail -c 4"))?;
            assert_eq!(head, "JFIF");
            vm.ssh.ok("echo mine >~/file && sync")?;
            reboot(vm)?;
            check_state(vm, SECOND)?;
            assert_eq!(vm.ssh.ok("cat ~/file")?.trim(), "mine");
            Ok(())
        },
    )?;
    // Both have the label.
    let disks = ["one", "two"]
        .map(|name| make_state_disk(&artifacts::fresh_dir(&format!("long-state-{name}"))?, 512));
    let [one, two] = disks;
    let (one, two) = (one?, two?);
    let guid = run_tool("sfdisk", &["--part-uuid", &two.to_string_lossy(), "1"])?;
    let guid = String::from_utf8(guid).context("reading a GUID")?;
    let line = format!("rancher.state.dev=PARTUUID={}", guid.trim());
    run(
        "long-state-partuuid",
        &spec(&[&one, &two], &line),
        &UserData::key_only(),
        |vm| check_state(vm, SECOND),
    )
}

#[test]
#[ignore = "long: make test-long"]
fn a_new_disk_of_docker_machine_becomes_the_state_disk() -> Result<()> {
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f docker-machine";
    const MAGIC: &str = "boot2docker, please format-me";
    let disk = blank_disk("docker-machine")?;
    // As docker-machine writes it: an archive from the first byte of the disk on.
    let tree = disk.with_file_name("tree");
    std::fs::create_dir_all(tree.join(".ssh")).context("making the archive's tree")?;
    std::fs::write(tree.join(MAGIC), MAGIC).context("making the archive's tree")?;
    std::fs::write(tree.join(".ssh/authorized_keys"), format!("{KEY}\n"))
        .context("making the archive's tree")?;
    let tree = tree.to_string_lossy();
    let archive = run_tool(
        "tar",
        &[
            "--format=ustar",
            "-cC",
            &tree,
            MAGIC,
            ".ssh/authorized_keys",
        ],
    )?;
    File::options()
        .write(true)
        .open(&disk)
        .and_then(|file| file.write_all_at(&archive, 0))
        .context("writing the archive")?;
    run(
        "long-state-b2d",
        &spec(&[&disk], ""),
        &UserData::key_only(),
        |vm| {
            check_state(vm, FIRST)?;
            let label = vm
                .ssh
                .ok(&format!("sudo blkid -p -s LABEL -o value {FIRST}"))?;
            assert_eq!(label.trim(), "B2D_STATE");
            let keys = vm.ssh.ok("sudo ros config get ssh_authorized_keys")?;
            ensure!(keys.contains("docker-machine"), "{keys}");
            reboot(vm)?;
            check_state(vm, FIRST)
        },
    )
}
