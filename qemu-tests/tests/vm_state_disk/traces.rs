//! The traces that a user leaves on a machine: files, settings, images, containers.

use anyhow::{Context, Result, ensure};
use qemu_tests::Vm;
use qemu_tests::harness::wait::Deadline;

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

/// Leaves traces of every kind; `images` is the prefix of an image's name.
pub(crate) fn leave(vm: &Vm, images: &str) -> Result<()> {
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
    let busybox = format!("{images}/busybox");
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

/// The output of every command that must not change.
pub(crate) fn read_all(vm: &Vm) -> Result<Vec<(&'static str, String)>> {
    UNCHANGED
        .iter()
        .map(|(what, command)| Ok((*what, vm.ssh.ok(command)?)))
        .collect()
}

/// The containers that a restart policy, or its user's command, wants to run, and no other.
pub(crate) fn check_containers(vm: &Vm) -> Result<()> {
    vm.wait_until("the restarting containers", Deadline::secs(60), || {
        let names = vm.ssh.ok(
            "docker ps --format '{{.Names}}' | grep -x -e always -e unless-stopped -e no -e stopped | sort",
        )?;
        ensure!(names == "always\nunless-stopped", "these run: {names}");
        Ok(())
    })
}

/// A loaded archive is not loaded again until it changes.
pub(crate) fn check_preloads(vm: &Vm) -> Result<()> {
    for image in ["preloaded:1", "preloaded:2"] {
        vm.wait_until_ok(&format!("docker image inspect {image}"), Deadline::secs(60))?;
    }
    let again = "docker rmi preloaded:2 >/dev/null; sudo ros preload-images";
    assert_eq!(vm.ssh.ok(again)?, "");
    let gone = vm.ssh.run("docker image inspect preloaded:2")?;
    ensure!(gone.status != 0, "it was loaded again");
    let loaded = vm.ssh.ok("touch ~/calf.tar; sudo ros preload-images")?;
    assert_eq!(loaded, "loading /home/rancher/calf.tar");
    vm.ssh.ok("docker image inspect preloaded:2").map(drop)
}

/// What was set takes effect: the host name, a script that waits for Docker, the environment, the grown filesystem.
pub(crate) fn check_settings(vm: &Vm) -> Result<()> {
    assert_eq!(vm.ssh.ok("hostname")?, "keeper");
    vm.wait_until_ok("grep 'Server Version' /run/waited", Deadline::secs(60))?;
    let state = vm.ssh.ok("sudo ros dev LABEL=RANCHER_STATE")?;
    ensure!(state.starts_with("/dev/vd"), "OC-04 {state}");
    vm.ssh
        .ok("sudo ros config set rancher.environment.COW moo")?;
    assert_eq!(vm.ssh.ok("sudo ros env printenv COW")?, "moo", "OC-03");
    let own = vm.ssh.ok("sudo COW=own ros env printenv COW")?;
    assert_eq!(own, "own", "OC-03");
    let what = "the state filesystem to fill its disk";
    vm.wait_until(what, Deadline::secs(60), || {
        let size = vm.ssh.ok("df --output=size -m /home | tail -n 1")?;
        let size: u32 = size.trim().parse().context("reading the size")?;
        ensure!(size > 1800, "it has {size} MB");
        Ok(())
    })
}

/// The filesystem was unmounted before the machine went down: the check before the mount had no journal to replay.
pub(crate) fn check_unmounted(vm: &Vm) -> Result<()> {
    let log = vm.ssh.ok("sudo cat /run/ros/e2fsck.log")?;
    ensure!(
        log.contains(": clean,") && !log.contains("recovering journal"),
        "the state disk was not unmounted: {log}"
    );
    Ok(())
}
