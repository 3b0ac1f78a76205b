//! Killed daemons, `ros sysinit` and services come back, and nothing else is restarted.

use anyhow::{Result, ensure};
use qemu_tests::Vm;
use qemu_tests::fixtures::daemons::{
    Docker, check_system_containers, kill_daemon_and_wait, start_times,
};
use qemu_tests::harness::vm::UP;
use qemu_tests::harness::wait::Deadline;

use crate::VM;

#[test]
#[ignore = "boots a VM: make test-vm"]
fn the_systems_daemons() -> Result<()> {
    VM.with(|vm| {
        let before = start_times(vm, Docker::System)?;
        for program in ["dockerd", "containerd"] {
            kill_daemon_and_wait(vm, Docker::System, program)?;
            assert_eq!(
                start_times(vm, Docker::System)?,
                before,
                "after {program} was killed"
            );
        }
        Ok(())
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn sysinit() -> Result<()> {
    VM.with(|vm| {
        let before = start_times(vm, Docker::System)?;
        kill_sysinit(vm)?;
        assert_eq!(
            start_times(vm, Docker::System)?,
            before,
            "after `ros sysinit` was killed"
        );
        Ok(())
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_service() -> Result<()> {
    VM.with(kill_service)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn everything_but_pid_1() -> Result<()> {
    VM.with(|vm| {
        let boot_id = vm.ssh.ok("cat /proc/sys/kernel/random/boot_id")?;
        let mark = vm.console.mark();
        let kill = "img=$(sudo system-docker inspect -f '{{.Image}}' console); \
                sudo system-docker run --rm --privileged --pid host --net host --entrypoint sh $img -c 'kill -9 -1'";
        // The session is killed too, so its status means nothing.
        vm.ssh.run(kill).ok();
        vm.console.wait_for_after(mark, UP, Deadline::secs(180))?;
        vm.wait_ssh(Deadline::secs(60))?;
        assert_eq!(
            vm.ssh.ok("cat /proc/sys/kernel/random/boot_id")?,
            boot_id,
            "the machine was rebooted"
        );
        check_system_containers(vm)?;
        vm.ssh.ok("docker version").map(drop)
    })
}

fn sysinit_pid(vm: &Vm) -> Result<String> {
    vm.ssh.ok("pgrep -f '^(/usr/bin/)?ros sysinit' | head -n 1")
}

fn kill_sysinit(vm: &Vm) -> Result<()> {
    let old = sysinit_pid(vm)?;
    vm.ssh.ok(&format!("sudo kill -9 {old}"))?;
    vm.wait_until("a new `ros sysinit`", Deadline::secs(60), || {
        let new = sysinit_pid(vm)?;
        ensure!(!new.is_empty() && new != old, "it's still {new}");
        Ok(())
    })
}

/// The restart policy starts a service whose process dies.
fn kill_service(vm: &Vm) -> Result<()> {
    let pid = vm
        .ssh
        .ok("sudo system-docker inspect -f '{{.State.Pid}}' ntp")?;
    vm.ssh.ok(&format!("sudo kill -9 {pid}"))?;
    vm.wait_until("ntp to run again", Deadline::secs(60), || {
        let now = vm
            .ssh
            .ok("sudo system-docker inspect -f '{{.State.Running}} {{.State.Pid}}' ntp")?;
        ensure!(
            now.starts_with("true") && now != format!("true {pid}"),
            "it is {now}"
        );
        Ok(())
    })
}
