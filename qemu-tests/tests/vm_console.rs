//! The console: users, sudo and tools; and the survival of User Docker's containers when the console dies.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::daemons::{Docker, start_times};
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{SeedKind, UserData, Vm, VmSpec, run};

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
fn users_tools_and_rebuild() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("console-registry")?)?;
    run("console", &VmSpec::default(), &UserData::key_only(), |vm| {
        check_users(vm)?;
        check_tools(vm)?;
        check_os_release(vm)?;
        kill_console(vm, &registry)
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
    let sshd = vm
        .ssh
        .ok("sudo sshd -T 2>/dev/null || sudo /usr/sbin/sshd -T")?;
    ensure!(
        sshd.contains("passwordauthentication no"),
        "ssh accepts passwords"
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
    Ok(())
}

fn kill_console(vm: &Vm, registry: &Registry) -> Result<()> {
    let busybox = format!("{}/busybox", trust_registry(vm, registry)?);
    vm.ssh.ok(&format!(
        "docker run -d --name stays {busybox} sleep 100000"
    ))?;
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
    Ok(())
}

fn console_container(vm: &Vm) -> Result<String> {
    vm.ssh
        .ok("sudo system-docker inspect -f '{{.Id}} {{.State.StartedAt}}' console")
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn without_configuration_or_network() -> Result<()> {
    let spec = VmSpec {
        network: qemu_tests::Network::Silent,
        seed: SeedKind::None,
        ..VmSpec::default()
    };
    let vm = Vm::start("console-silent", &spec, &UserData::key_only())?;
    let body = || {
        // No server answers on the network, and the console still comes up.
        vm.console
            .wait_for(qemu_tests::harness::vm::UP, Deadline::secs(120))?;
        let mark = vm.console.mark();
        vm.console
            .type_line("echo user=$(id -un) sum=$((40+2)) docker=$(docker ps -q | wc -l)")?;
        vm.console
            .wait_for_after(mark, "user=rancher sum=42 docker=0", Deadline::secs(60))?;
        vm.console
            .type_line("sudo system-docker ps --format '{{.Names}}' | sort | xargs echo list:")?;
        vm.console.wait_for_after(
            mark,
            "list: acpid console docker network ntp syslog udev",
            Deadline::secs(60),
        )?;
        Ok(())
    };
    let result = body();
    vm.finish(result)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn without_configuration_it_says_how_to_get_in() -> Result<()> {
    let spec = VmSpec {
        seed: SeedKind::None,
        ..VmSpec::default()
    };
    let vm = Vm::start("console-no-config", &spec, &UserData::key_only())?;
    let body = || {
        vm.console
            .wait_for(qemu_tests::harness::vm::UP, Deadline::secs(120))?;
        vm.console.wait_for("10.0.2.15", Deadline::secs(60))?;
        vm.console.wait_for("ssh", Deadline::secs(10)).map(drop)
    };
    let result = body();
    vm.finish(result)
}
