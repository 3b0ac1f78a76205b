//! Ways to reboot and to power off, with little memory and swap space in it; QEMU's events tell which of the two happened. `reboot` and
//! `poweroff` as commands are in vm_state_disk.rs, a planned shutdown is in long_shutdown.rs.

use std::time::Instant;

use anyhow::{Result, ensure};
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

/// The time limit for a machine with nothing to stop; the benchmark measures the budget itself, on an idle host.
const SHUTDOWN_TIMEOUT_SECS: u64 = 30;

#[test]
#[ignore = "boots a VM: make test-vm"]
fn keys_cancelled_shutdown_and_button_with_grace_for_containers() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("shutdown-registry")?)?;
    // Half a gigabyte is enough to pull images and to run containers.
    let spec = VmSpec {
        memory_mb: 512,
        ..VmSpec::default()
    };
    let user_data = UserData::config("rancher:\n  shutdown_timeout: 30\n");
    run("shutdown", &spec, &user_data, |vm| {
        check_swap_space(vm)?;
        restart_by_keys(vm)?;
        cancel_shutdown(vm)?;
        start_containers(vm, &registry)?;
        let began = Instant::now();
        vm.qmp.press_power_button()?;
        vm.console.wait_for("grace: finished", Deadline::secs(60))?;
        assert_eq!(vm.wait_shutdown(Deadline::secs(60))?, "guest-shutdown");
        vm.qmp.wait_closed(Deadline::secs(10))?;
        let took = began.elapsed().as_secs();
        ensure!(
            (12..=45).contains(&took),
            "the machine went down after {took} s with a deadline of 30 s"
        );
        Ok(())
    })
}

/// A machine with so little memory has swap space in it, and no container does.
fn check_swap_space(vm: &Vm) -> Result<()> {
    let swaps = vm.ssh.ok("cat /proc/swaps")?;
    ensure!(swaps.contains("/dev/zram0"), "{swaps}");
    let of_containers = vm
        .ssh
        .ok("cat /sys/fs/cgroup/user-docker/*/docker/memory.swap.max")?;
    assert_eq!(of_containers, "0");
    Ok(())
}

fn restart_by_keys(vm: &Vm) -> Result<()> {
    let (mark, resets) = (vm.console.mark(), vm.qmp.count_events("RESET"));
    vm.qmp.press_ctrl_alt_del()?;
    let data = vm
        .qmp
        .wait_nth_event("RESET", resets, Deadline::secs(SHUTDOWN_TIMEOUT_SECS))?;
    assert_eq!(data["guest"], true, "{data}");
    vm.wait_up_again(mark).map(drop)
}

/// The schedule of a planned and of a cancelled shutdown is a table in init; here the command reaches PID 1 and back.
fn cancel_shutdown(vm: &Vm) -> Result<()> {
    vm.ssh.ok("sudo shutdown -r +1")?;
    assert_eq!(
        vm.ssh.ok("sudo shutdown -c")?,
        "scheduled shutdown cancelled"
    );
    assert_eq!(vm.ssh.ok("sudo shutdown -c")?, "no shutdown was scheduled");
    Ok(())
}

/// A container that needs 12 s to end, which is more than the engine's default of 10 s, and a container that never
/// ends by itself.
fn start_containers(vm: &Vm, registry: &Registry) -> Result<()> {
    let busybox = format!("{}/busybox", trust_registry(vm, registry)?);
    vm.ssh.ok(&format!("docker pull {busybox}"))?;
    vm.ssh.ok(&format!(
        "docker run -d --stop-timeout 25 --device /dev/ttyS0 {busybox} sh -c \
         'trap \"sleep 12; echo grace: finished > /dev/ttyS0; exit\" TERM; while :; do sleep 1; done'"
    ))?;
    vm.ssh
        .ok(&format!(
            "docker run -d --stop-timeout 300 {busybox} sh -c 'trap \"\" TERM; while :; do sleep 1; done'"
        ))
        .map(drop)
}
