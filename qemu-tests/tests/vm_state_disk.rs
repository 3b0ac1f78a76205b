//! With a state disk, a user's data and settings survive a reboot.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::daemons::check_system_containers;
use qemu_tests::fixtures::guest::{problems, reboot, trust_registry};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::media::disk::make_state_disk;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

/// Commands that must print the same before and after a reboot, each with its subject.
const UNCHANGED: &[(&str, &str)] = &[
    ("a file in the home", "cat ~/kept"),
    ("a file in /opt", "cat /opt/kept"),
    ("a file in /etc", "cat /etc/kept"),
    ("a file in /var/lib", "cat /var/lib/kept"),
    ("the configuration", "sudo ros config get hostname"),
    ("the machine's id", "cat /etc/machine-id"),
    ("ssh's host keys", "cat /etc/ssh/ssh_host_*_key.pub | sort"),
    ("an image", "docker images -q busybox"),
    (
        "a volume",
        "docker run --rm -v cow:/cow busybox cat /cow/file",
    ),
];

#[test]
#[ignore = "boots a VM: make test-vm"]
fn everything_survives_a_reboot() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("state-disk-registry")?)?;
    let spec = VmSpec {
        disks: vec![make_grown_disk()?],
        ..VmSpec::default()
    };
    run("state-disk", &spec, &UserData::key_only(), |vm| {
        let root = vm.ssh.ok("findmnt -no FSTYPE -T /home/rancher")?;
        assert_eq!(root, "ext4", "the home is not on the state disk");
        leave_traces(vm, &registry)?;
        let before = read_all(vm)?;
        reboot(vm)?;
        assert_eq!(read_all(vm)?, before);
        assert_eq!(
            vm.ssh.ok("hostname")?,
            "keeper",
            "`ros config set` had no effect"
        );
        vm.wait_until("the restarting containers", Deadline::secs(30), || {
            let names = vm.ssh.ok("docker ps --format '{{.Names}}' | sort")?;
            ensure!(names == "always\nunless-stopped", "these run: {names}");
            Ok(())
        })?;
        check_system_containers(vm)?;
        vm.wait_until_ok("docker image inspect preloaded:1", Deadline::secs(60))?;
        check_preloads(vm)?;
        vm.wait_until_ok("grep 'Server Version' /run/waited", Deadline::secs(60))?;
        let problems = problems(vm)?;
        ensure!(problems.is_empty(), "{problems:?}");
        let state = vm.ssh.ok("sudo ros dev LABEL=RANCHER_STATE")?;
        ensure!(state.starts_with("/dev/vd"), "{state}");
        vm.ssh
            .ok("sudo ros config set rancher.environment.COW moo")?;
        assert_eq!(vm.ssh.ok("sudo ros env printenv COW")?, "moo");
        assert_eq!(vm.ssh.ok("sudo COW=own ros env printenv COW")?, "own");
        let size = vm.wait_until(
            "the state filesystem to fill its disk",
            Deadline::secs(60),
            || {
                let size = vm.ssh.ok("df --output=size -m /home | tail -n 1")?;
                let size: u32 = size.trim().parse().context("reading the size")?;
                ensure!(size > 1800, "it has {size} MB");
                Ok(size)
            },
        );
        size.map(drop)?;
        let log = vm.ssh.ok("sudo dmesg")?;
        ensure!(
            !log.contains("recovery complete"),
            "the state disk was not unmounted"
        );
        Ok(())
    })
}

/// A disk of 2 GiB with a partition of 1 GiB, as after enlarging a virtual machine's disk.
fn make_grown_disk() -> Result<PathBuf> {
    let disk = make_state_disk(&artifacts::fresh_dir("state-disk-grown")?, 1024)?;
    File::options()
        .write(true)
        .open(&disk)
        .and_then(|file| file.set_len(2 << 30))
        .with_context(|| format!("enlarging {}", disk.display()))?;
    Ok(disk)
}

fn leave_traces(vm: &Vm, registry: &Registry) -> Result<()> {
    for dir in ["/home/rancher", "/opt", "/etc", "/var/lib"] {
        vm.ssh
            .ok(&format!("echo moo | sudo tee {dir}/kept >/dev/null"))?;
    }
    vm.ssh.ok("sudo ros config set hostname keeper")?;
    // udev starts after the console, so its links may come later than the login.
    let disk = vm.wait_until_ok(
        "test -b /dev/disk/by-label/RANCHER_STATE && lsblk -no pkname $(readlink -f /dev/disk/by-label/RANCHER_STATE)",
        Deadline::secs(60),
    )?;
    vm.ssh.ok(&format!(
        "sudo ros config set rancher.resize_device /dev/{disk}"
    ))?;
    let busybox = format!("{}/busybox", trust_registry(vm, registry)?);
    vm.ssh.ok(&format!(
        "docker pull {busybox} && docker tag {busybox} busybox"
    ))?;
    vm.ssh
        .ok("docker run --rm -v cow:/cow busybox sh -c 'echo kept > /cow/file'")?;
    // An archived image for the next boot to load, and a user's script that waits for Docker.
    vm.ssh.ok(
        "docker tag busybox preloaded:1 && sudo mkdir -p /var/lib/rancher/preload/docker && \
         docker save preloaded:1 | xz -0 | sudo tee /var/lib/rancher/preload/docker/cow.tar.xz >/dev/null && docker rmi preloaded:1",
    )?;
    vm.ssh.ok(
        "docker tag busybox preloaded:2 && docker save -o ~/calf.tar preloaded:2 && docker rmi preloaded:2 && \
         sudo ros config set rancher.preload_images '[/home/rancher/calf.tar]'",
    )?;
    vm.ssh.ok(
        "printf '#!/bin/sh\\nwait-for-docker && docker info > /run/waited\\n' | sudo tee /etc/rc.local >/dev/null && sudo chmod 755 /etc/rc.local",
    )?;
    vm
        .ssh
        .ok("for policy in always unless-stopped no; do docker run -d --name $policy --restart $policy busybox sleep 100000; done; \
             docker run -d --name stopped --restart unless-stopped busybox sleep 100000 && docker stop -t 0 stopped")
        .map(drop)
}

/// A loaded archive is not loaded again until it changes.
fn check_preloads(vm: &Vm) -> Result<()> {
    vm.wait_until_ok("docker image inspect preloaded:2", Deadline::secs(60))?;
    let again = "docker rmi preloaded:2 >/dev/null; sudo ros preload-images";
    assert_eq!(vm.ssh.ok(again)?, "");
    let gone = vm.ssh.run("docker image inspect preloaded:2")?;
    ensure!(gone.status != 0, "it was loaded again");
    let loaded = vm.ssh.ok("touch ~/calf.tar; sudo ros preload-images")?;
    assert_eq!(loaded, "loading /home/rancher/calf.tar");
    vm.ssh.ok("docker image inspect preloaded:2").map(drop)
}

fn read_all(vm: &Vm) -> Result<Vec<(&'static str, String)>> {
    UNCHANGED
        .iter()
        .map(|(what, command)| Ok((*what, vm.ssh.ok(command)?)))
        .collect()
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn pulled_plug_comes_back() -> Result<()> {
    let spec = VmSpec {
        state_disk_mb: Some(1024),
        ..VmSpec::default()
    };
    run("state-disk-plug", &spec, &UserData::key_only(), |vm| {
        vm.ssh.ok("echo moo > ~/kept && sync")?;
        let mark = vm.console.mark();
        vm.qmp.command("system_reset", serde_json::json!({}))?;
        vm.wait_up_after(mark)?;
        assert_eq!(vm.ssh.ok("cat ~/kept")?, "moo");
        check_system_containers(vm)?;
        vm.ssh.ok("docker version").map(drop)
    })
}
