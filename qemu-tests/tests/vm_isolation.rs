//! Users cannot reach the system through Docker, and a killed User Docker comes back without a restart in System
//! Docker.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use qemu_tests::fixtures::daemons::{Docker, SYSTEM_CONTAINERS, kill_daemon_and_wait, start_times};
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn user_docker_is_isolated() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("isolation-registry")?)?;
    run(
        "isolation",
        &VmSpec::default(),
        &UserData::key_only(),
        |vm| {
            let before = start_times(vm, Docker::System)?;
            check_listings(vm, &before)?;
            let busybox = format!("{}/busybox", trust_registry(vm, &registry)?);
            delete_everything(vm, &busybox)?;
            check_privileged_container(vm, &busybox)?;
            for program in ["dockerd", "containerd"] {
                kill_daemon_and_wait(vm, Docker::User, program)?;
            }
            vm.ssh.ok(&format!("docker run --rm {busybox} true"))?;
            assert_eq!(
                start_times(vm, Docker::System)?,
                before,
                "a system container was restarted"
            );
            Ok(())
        },
    )
}

fn check_listings(vm: &Vm, system: &BTreeMap<String, String>) -> Result<()> {
    for name in SYSTEM_CONTAINERS {
        ensure!(
            system.contains_key(*name),
            "`{name}` does not run in System Docker: {system:?}"
        );
    }
    let user = vm.ssh.ok("docker ps -aq")?;
    ensure!(
        user.is_empty(),
        "User Docker has containers of its own: {user}"
    );
    Ok(())
}

fn delete_everything(vm: &Vm, busybox: &str) -> Result<()> {
    vm.ssh
        .ok(&format!("docker run -d -v cow:/cow {busybox} sleep 600"))?;
    vm.ssh.ok(&format!(
        "docker run -d --restart always {busybox} sleep 600"
    ))?;
    vm.ssh.ok("docker rm -f $(docker ps -qa)")?;
    vm.ssh.ok("docker system prune -af --volumes")?;
    assert_eq!(vm.ssh.ok("docker ps -aq; docker images -q")?, "");
    Ok(())
}

/// The promise of docs/security.md: a privileged container with all of User Docker's `/` finds nothing of System
/// Docker in it.
fn check_privileged_container(vm: &Vm, busybox: &str) -> Result<()> {
    let run = format!("docker run --rm --privileged -v /:/host --pid=host {busybox}");
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
