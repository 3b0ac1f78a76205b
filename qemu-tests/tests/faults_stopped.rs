//! Processes that are stopped answer nothing, and do not end: a probe finds them, and they are replaced.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::checks::Checks;
use qemu_tests::fixtures::daemons::{Docker, check_system_containers, daemon_pids, start_times};
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

/// The misses of probes until a daemon is replaced, the time of its end, and its start.
const REPLACEMENT_TIMEOUT_SECS: u64 = 420;

#[test]
#[ignore = "long: make test-faults"]
fn stopped_daemons_are_replaced() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("faults-stopped-registry")?)?;
    run(
        "faults-stopped",
        &VmSpec::default(),
        &UserData::key_only(),
        |vm| {
            let busybox = format!("{}/busybox", trust_registry(vm, &registry)?);
            vm.ssh.ok_for(180, &format!("docker pull {busybox}"))?;
            vm.ssh.ok_for(
                120,
                &format!("docker run -d --restart always --name kept {busybox} sleep 1000000"),
            )?;
            let mut checks = Checks::default();
            for docker in [Docker::User, Docker::System] {
                for program in ["dockerd", "containerd"] {
                    checks.run(&format!("{docker:?} Docker's {program}"), || {
                        stop_and_wait(vm, docker, program)
                    });
                }
            }
            checks.run("everything runs", || {
                check_system_containers(vm)?;
                vm.wait_until("the container to run", Deadline::secs(60), || {
                    let running = start_times(vm, Docker::User)?;
                    ensure!(running.contains_key("kept"), "{running:?}");
                    Ok(())
                })
            });
            checks.run("a shutdown with stopped daemons", || {
                let mut pids = Vec::new();
                for docker in [Docker::User, Docker::System] {
                    for program in ["dockerd", "containerd"] {
                        pids.extend(daemon_pids(vm, docker, program)?);
                    }
                }
                let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
                vm.ssh.ok(&format!("sudo kill -STOP {}", pids.join(" ")))?;
                vm.ssh.run_for(60, "sudo poweroff").ok();
                assert_eq!(vm.wait_shutdown(Deadline::secs(180))?, "guest-shutdown");
                Ok(())
            });
            checks.finish()
        },
    )
}

/// Stops a daemon, and waits until its engine answers through a new process. System containers and logins go on.
fn stop_and_wait(vm: &Vm, docker: Docker, program: &str) -> Result<()> {
    let before = daemon_pids(vm, docker, program)?;
    let system = start_times(vm, Docker::System)?;
    let list: Vec<String> = before.iter().map(u32::to_string).collect();
    vm.ssh.ok(&format!("sudo kill -STOP {}", list.join(" ")))?;
    let began = vm.age();
    vm.ssh.hang_up();
    vm.wait_ssh(Deadline::secs(60))?;
    let (name, client) = (program, docker.client());
    vm.wait_until(
        "a new process that answers",
        Deadline::secs(REPLACEMENT_TIMEOUT_SECS),
        || {
            let mine = match docker {
                // The engine itself answers no question about its processes.
                Docker::System => vm.ssh.ok(&format!("pgrep -x {name} || true"))?,
                Docker::User => daemon_pids(vm, docker, program)?
                    .iter()
                    .map(|pid| format!("{pid}\n"))
                    .collect(),
            };
            ensure!(
                !mine.lines().any(|pid| list.iter().any(|old| old == pid)),
                "the old process is there"
            );
            vm.ssh
                .ok_for(60, &format!("timeout 20 {client} ps >/dev/null"))
                .map(drop)
        },
    )?;
    println!(
        "{docker:?} Docker was back {} s after its {program} was stopped",
        (vm.age() - began).as_secs()
    );
    if docker == Docker::User {
        let now = start_times(vm, Docker::System)?;
        ensure!(now == system, "{system:?} before, {now:?} now");
    }
    check_system_containers(vm)
}
