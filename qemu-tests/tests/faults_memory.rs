//! Containers that take all memory, or as many processes as they can: the kernel ends them or refuses them, and nothing
//! else.

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::daemons::{Docker, check_system_containers, daemon_pids};
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

/// Reads memory without end.
const LEAK: &str = "tail /dev/zero";
/// Starts itself twice, without end.
const FORK_BOMB: &str = "sh -c 'bomb() { bomb | bomb & }; bomb; sleep 1000000'";
/// The limit for a login beside the containers.
const LOGIN_SECS: u64 = 60;

#[test]
#[ignore = "long: make test-faults"]
fn containers_that_take_everything_cost_neither_login_nor_engines() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("faults-memory-registry")?)?;
    run(
        "faults-memory",
        &VmSpec::default(),
        &UserData::key_only(),
        |vm| {
            let busybox = format!("{}/busybox", trust_registry(vm, &registry)?);
            vm.ssh.ok_for(180, &format!("docker pull {busybox}"))?;
            let mut checks = Checks::default();
            checks.run("two containers take all memory", || {
                press(vm, &busybox, LEAK)
            });
            checks.run("two containers take all processes", || {
                press(vm, &busybox, FORK_BOMB)
            });
            checks.finish()
        },
    )
}

/// Runs two containers with `command` until the kernel has stopped something of theirs; logins and engines go on
/// meanwhile, and the same daemons run afterwards.
fn press(vm: &Vm, image: &str, command: &str) -> Result<()> {
    let before = all_daemons(vm)?;
    let stopped = stops(vm)?;
    for number in [1, 2] {
        vm.ssh.ok_for(
            120,
            &format!("docker run -d --restart always --name press-{number} {image} {command}"),
        )?;
    }
    vm.wait_until("the kernel to stop something", Deadline::secs(180), || {
        let now = stops(vm)?;
        ensure!(now > stopped, "{stopped} before, {now} now");
        Ok(())
    })?;
    let began = vm.age();
    vm.ssh.hang_up();
    vm.wait_ssh(Deadline::secs(LOGIN_SECS))?;
    println!("a login took {} s", (vm.age() - began).as_secs());
    for docker in [Docker::User, Docker::System] {
        vm.ssh
            .ok_for(60, &format!("{} ps >/dev/null", docker.client()))?;
    }
    // The engine waits ten seconds for the end of thousands of processes, and then gives up.
    vm.wait_until("the containers to go", Deadline::secs(240), || {
        vm.ssh.ok_for(
            120,
            "docker rm --force --volumes $(docker ps -qa --filter name=press-)",
        )
    })?;
    check_system_containers(vm)?;
    let after = all_daemons(vm)?;
    ensure!(before == after, "{before:?} before, {after:?} after");
    Ok(())
}

/// How many processes of the user's containers the kernel has ended for want of memory or refused to start.
fn stops(vm: &Vm) -> Result<u64> {
    // `max` of memory.events counts each time that the limit was met and memory was found.
    let counts = vm.ssh.ok_for(
        60,
        "sudo nsenter --target 1 --mount --cgroup sh -c 'cd /sys/fs/cgroup/user-docker && \
         grep -h \"^oom_kill \" memory.events && grep -h \"^max \" pids.events'",
    )?;
    let mut total = 0;
    for line in counts.lines() {
        let count = line
            .split_once(' ')
            .and_then(|(_, count)| count.parse().ok());
        let count: u64 = count.with_context(|| format!("reading a count from `{line}`"))?;
        total += count;
    }
    Ok(total)
}

/// The processes of both engines' daemons.
fn all_daemons(vm: &Vm) -> Result<Vec<Vec<u32>>> {
    let mut pids = Vec::new();
    for docker in [Docker::User, Docker::System] {
        for program in ["dockerd", "containerd"] {
            pids.push(daemon_pids(vm, docker, program)?);
        }
    }
    Ok(pids)
}
