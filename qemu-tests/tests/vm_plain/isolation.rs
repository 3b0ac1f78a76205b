//! Users cannot reach the system through Docker, and a killed User Docker comes back without a restart in System
//! Docker.

use anyhow::{Result, ensure};
use qemu_tests::Vm;
use qemu_tests::fixtures::daemons::{Docker, SYSTEM_CONTAINERS, kill_daemon_and_wait, start_times};
use qemu_tests::fixtures::guest::check_apparmor;

use crate::{VM, pull_images};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn apparmor_confines_a_container() -> Result<()> {
    VM.with(|vm| {
        pull_images(vm)?;
        check_apparmor(vm, "busybox")
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn the_systems_containers_are_not_the_users() -> Result<()> {
    VM.with(check_listings)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn deleting_everything_leaves_the_system() -> Result<()> {
    VM.with(|vm| {
        let before = start_times(vm, Docker::System)?;
        delete_everything(vm)?;
        assert_eq!(start_times(vm, Docker::System)?, before);
        Ok(())
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_privileged_container_finds_nothing_of_the_system() -> Result<()> {
    VM.with(check_privileged_container)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_killed_user_docker_comes_back_alone() -> Result<()> {
    VM.with(|vm| {
        let before = start_times(vm, Docker::System)?;
        for program in ["dockerd", "containerd"] {
            kill_daemon_and_wait(vm, Docker::User, program)?;
        }
        pull_images(vm)?;
        vm.ssh.ok("docker run --rm busybox true")?;
        assert_eq!(
            start_times(vm, Docker::System)?,
            before,
            "a system container was restarted"
        );
        Ok(())
    })
}

fn check_listings(vm: &Vm) -> Result<()> {
    let system = start_times(vm, Docker::System)?;
    let user = vm.ssh.ok("docker ps -a --format '{{.Names}}'")?;
    for name in SYSTEM_CONTAINERS {
        ensure!(
            system.contains_key(*name),
            "`{name}` does not run in System Docker: {system:?}"
        );
        ensure!(
            !user.lines().any(|found| found == *name),
            "`{name}` is in User Docker: {user}"
        );
    }
    Ok(())
}

fn delete_everything(vm: &Vm) -> Result<()> {
    pull_images(vm)?;
    vm.ssh.ok("docker run -d -v cow:/cow busybox sleep 600")?;
    vm.ssh
        .ok("docker run -d --restart always busybox sleep 600")?;
    vm.ssh.ok("docker rm -f $(docker ps -qa)")?;
    vm.ssh.ok("docker system prune -af --volumes")?;
    assert_eq!(vm.ssh.ok("docker ps -aq; docker images -q")?, "");
    Ok(())
}

/// The promise of docs/security.md: a privileged container with all of User Docker's `/` finds nothing of System
/// Docker in it.
fn check_privileged_container(vm: &Vm) -> Result<()> {
    pull_images(vm)?;
    let run = "docker run --rm --privileged -v /:/host --pid=host busybox";
    let sockets = vm.ssh.ok(&format!(
        "{run} find /host -xdev -name 'system-docker.sock'"
    ))?;
    assert_eq!(sockets, "", "System Docker's socket is reachable");
    let run_sockets = vm
        .ssh
        .ok(&format!("{run} find /host/run -name 'system-docker*'"))?;
    assert_eq!(run_sockets, "", "System Docker's socket is reachable");
    let root = vm.ssh.ok(&format!(
        "{run} sh -c 'ls -A /host/var/lib/system-docker 2>/dev/null || true'"
    ))?;
    assert_eq!(root, "", "System Docker's data is reachable");
    let seen = vm.ssh.ok(&format!("{run} ps -o comm"))?;
    ensure!(
        !seen.lines().any(|line| line.trim() == "init"),
        "PID 1 of the machine is visible: {seen}"
    );
    // The root of the process namespace's init is User Docker's, not the machine's.
    let through = vm.ssh.ok(&format!(
        "{run} sh -c 'ls /proc/1/root/run/system-docker.sock /proc/1/root/var/run/system-docker.sock 2>/dev/null || true'"
    ))?;
    assert_eq!(
        through, "",
        "System Docker's socket is reachable through /proc"
    );
    Ok(())
}
