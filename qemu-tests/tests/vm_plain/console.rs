//! The console: users, sudo and tools; and the survival of User Docker's containers when the console dies.

use anyhow::{Result, ensure};
use qemu_tests::Vm;
use qemu_tests::fixtures::daemons::{Docker, start_times};
use qemu_tests::harness::wait::Deadline;

use crate::{VM, pull_images};

/// Programs that the console must have.
const TOOLS: &[&str] = &[
    "bash",
    "sudo",
    "docker",
    "system-docker",
    "ros",
    "ip",
    "ping",
    "curl",
    "vi",
    "less",
    "ps",
    "top",
    "lsblk",
];

#[test]
#[ignore = "boots a VM: make test-vm"]
fn users_have_sudo_and_docker_and_no_password() -> Result<()> {
    VM.with(check_users)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn tools_are_there() -> Result<()> {
    VM.with(check_tools)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn it_says_that_it_is_paddockos() -> Result<()> {
    VM.with(check_os_release)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_killed_console_comes_back_alone() -> Result<()> {
    VM.with(kill_console)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn the_console_says_how_to_get_in() -> Result<()> {
    VM.with(|vm| {
        let line = "ros: eth0 has address 10.0.2.15: ssh rancher@10.0.2.15";
        vm.console.wait_for(line, Deadline::secs(10)).map(drop)
    })
}

fn check_users(vm: &Vm) -> Result<()> {
    for (user, uid) in [("rancher", "1100"), ("docker", "1101")] {
        let id = vm.ssh.run_as(user, 60, "id")?;
        ensure!(
            id.stdout.starts_with(&format!("uid={uid}({user})")),
            "{id:?}"
        );
        ensure!(
            id.stdout.contains("(docker)"),
            "{user} is not in the group docker: {id:?}"
        );
        let root = vm.ssh.run_as(user, 60, "sudo -n id -u")?;
        assert_eq!(root.stdout, "0", "{user} cannot sudo: {root:?}");
        let docker = vm.ssh.run_as(user, 60, "docker version")?;
        assert_eq!(docker.status, 0, "{user} cannot use Docker: {docker:?}");
    }
    let passwords = vm.ssh.ok("sudo cut -d: -f1,2 /etc/shadow")?;
    for user in ["root", "rancher", "docker"] {
        let has_none = passwords.lines().any(|line| {
            line.strip_prefix(user)
                .and_then(|rest| rest.strip_prefix(':'))
                .is_some_and(|hash| hash.starts_with(['*', '!']))
        });
        ensure!(has_none, "{user} has a password: {passwords}");
    }
    let sshd = vm.ssh.ok("ps -C sshd -o args=")?;
    ensure!(
        sshd.contains("PasswordAuthentication=no"),
        "ssh accepts passwords: {sshd}"
    );
    Ok(())
}

fn check_tools(vm: &Vm) -> Result<()> {
    let missing = vm.ssh.ok(&format!(
        "for t in {}; do command -v $t >/dev/null || echo $t; done",
        TOOLS.join(" ")
    ))?;
    ensure!(missing.is_empty(), "missing in the console: {missing}");
    vm.ssh.ok("docker compose version")?;
    vm.ssh.ok("sudo system-docker ps")?;
    vm.ssh.ok("sudo ping -c 1 -W 5 10.0.2.2")?;
    // Users may use Docker without root, but not System Docker.
    let output = vm
        .ssh
        .run("DOCKER_HOST=unix:///var/run/system-docker.sock docker ps")?;
    ensure!(output.status != 0, "System Docker is open to every user");
    Ok(())
}

fn check_os_release(vm: &Vm) -> Result<()> {
    let release = vm.ssh.ok("cat /etc/os-release")?;
    for line in ["ID=paddock", "ID_LIKE=rancheros"] {
        ensure!(
            release.lines().any(|found| found.replace('"', "") == line),
            "{line} is not in {release}"
        );
    }
    let issue = vm.ssh.ok("cat /etc/issue")?;
    ensure!(issue.starts_with("PaddockOS "), "{issue}");
    let version = vm.ssh.ok("ros -v")?;
    ensure!(version.ends_with(" of PaddockOS"), "{version}");
    Ok(())
}

fn kill_console(vm: &Vm) -> Result<()> {
    pull_images(vm)?;
    vm.ssh
        .ok("docker run -d --name stays busybox sleep 100000")?;
    vm.ssh.ok("echo moo > ~/kept")?;
    let keys = vm.ssh.ok("cat /etc/ssh/ssh_host_*_key.pub | sort")?;
    let (system, user) = (
        start_times(vm, Docker::System)?,
        start_times(vm, Docker::User)?,
    );
    let old = console_container(vm)?;
    // The session ends with its container.
    vm.ssh
        .run_for(
            60,
            "sudo sh -c 'kill -9 $(system-docker inspect -f \"{{.State.Pid}}\" console)'",
        )
        .ok();
    vm.wait_until("the console to come back", Deadline::secs(60), || {
        ensure!(console_container(vm)? != old, "it is still the old one");
        Ok(())
    })?;
    assert_eq!(
        start_times(vm, Docker::User)?,
        user,
        "a user's container was restarted"
    );
    assert_eq!(vm.ssh.ok("cat ~/kept")?, "moo");
    assert_eq!(
        vm.ssh.ok("cat /etc/ssh/ssh_host_*_key.pub | sort")?,
        keys,
        "ssh has other host keys"
    );
    for (name, time) in start_times(vm, Docker::System)? {
        ensure!(
            name == "console" || system.get(&name) == Some(&time),
            "`{name}` was restarted as well"
        );
    }
    vm.ssh.ok("docker rm -f stays").map(drop)
}

fn console_container(vm: &Vm) -> Result<String> {
    vm.ssh
        .ok("sudo system-docker inspect -f '{{.Id}} {{.State.StartedAt}}' console")
}
