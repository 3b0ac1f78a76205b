//! What dies comes back, and what need not die does not.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::guest::{Engine, kill_and_wait, start_times, system_containers_run};
use qemu_tests::harness::machine::UP;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::{Machine, MachineSpec, UserData, run};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn daemons_of_the_system() -> Result<()> {
    run(
        "kill-daemons",
        &MachineSpec::default(),
        &UserData::key_only(),
        |machine| {
            let before = start_times(machine, Engine::System)?;
            for program in ["dockerd", "containerd"] {
                kill_and_wait(machine, Engine::System, program)?;
                assert_eq!(
                    start_times(machine, Engine::System)?,
                    before,
                    "after {program} was killed"
                );
            }
            sysinit_is_replaced(machine)?;
            assert_eq!(
                start_times(machine, Engine::System)?,
                before,
                "after `ros sysinit` was killed"
            );
            dead_services_are_restarted(machine)
        },
    )
}

fn sysinit_pid(machine: &Machine) -> Result<String> {
    machine
        .ssh
        .ok("pgrep -f '^(/usr/bin/)?ros sysinit' | head -n 1")
}

fn sysinit_is_replaced(machine: &Machine) -> Result<()> {
    let old = sysinit_pid(machine)?;
    machine.ssh.ok(&format!("sudo kill -9 {old}"))?;
    machine.until("a new `ros sysinit`", Deadline::secs(30), || {
        let new = sysinit_pid(machine)?;
        ensure!(!new.is_empty() && new != old, "it's still {new}");
        Ok(())
    })
}

/// A service whose process dies is started again by its restart policy.
fn dead_services_are_restarted(machine: &Machine) -> Result<()> {
    let pid = machine
        .ssh
        .ok("sudo system-docker inspect -f '{{.State.Pid}}' ntp")?;
    machine.ssh.ok(&format!("sudo kill -9 {pid}"))?;
    machine.until("ntp to run again", Deadline::secs(30), || {
        let now = machine
            .ssh
            .ok("sudo system-docker inspect -f '{{.State.Running}} {{.State.Pid}}' ntp")?;
        ensure!(
            now.starts_with("true") && now != format!("true {pid}"),
            "it is {now}"
        );
        Ok(())
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn everything_but_pid_1() -> Result<()> {
    run(
        "kill-everything",
        &MachineSpec::default(),
        &UserData::key_only(),
        |machine| {
            let boot_id = machine.ssh.ok("cat /proc/sys/kernel/random/boot_id")?;
            let mark = machine.console.mark();
            let kill = "img=$(sudo system-docker inspect -f '{{.Image}}' console); \
                    sudo system-docker run --rm --privileged --pid host --net host --entrypoint sh $img -c 'kill -9 -1'";
            // The session dies with everything else, so its status says nothing.
            machine.ssh.run(kill).ok();
            machine
                .console
                .wait_for_after(mark, UP, Deadline::secs(180))?;
            machine.wait_ssh(Deadline::secs(60))?;
            assert_eq!(
                machine.ssh.ok("cat /proc/sys/kernel/random/boot_id")?,
                boot_id,
                "the machine was rebooted"
            );
            system_containers_run(machine)?;
            machine.ssh.ok("docker version").map(drop)
        },
    )
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn sysinit_while_the_machine_boots() -> Result<()> {
    let user_data = UserData::config(&qemu_tests::fixtures::guest::sysinit_killer("network"));
    run(
        "kill-sysinit",
        &MachineSpec::default(),
        &user_data,
        |machine| {
            assert_eq!(machine.ssh.ok("cat /run/killed-sysinit")?, "once");
            system_containers_run(machine)
        },
    )
}
