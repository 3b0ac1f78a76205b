//! Every way to power off and reboot; QEMU's events tell which of the two happened. A planned shutdown is in
//! long_shutdown.rs.

use std::time::Instant;

use anyhow::{Result, ensure};
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

/// The time limit for a machine with nothing to stop; the benchmark measures the budget itself, on an idle host.
const SHUTDOWN_TIMEOUT_SECS: u64 = 30;

/// Has `act` restart the machine and waits until it is up again.
fn restart_by(vm: &Vm, act: impl FnOnce() -> Result<()>) -> Result<()> {
    let (mark, resets) = (vm.console.mark(), vm.qmp.count_events("RESET"));
    act()?;
    let data = vm
        .qmp
        .wait_nth_event("RESET", resets, Deadline::secs(SHUTDOWN_TIMEOUT_SECS))?;
    assert_eq!(data["guest"], true, "{data}");
    vm.wait_up_after(mark).map(drop)
}

/// Runs a command whose session may end with the machine.
fn run_last_command(vm: &Vm, command: &str) -> Result<()> {
    // The session gets its status only by chance, so QEMU's events decide.
    vm.ssh.run_for(60, command).ok();
    Ok(())
}

fn wait_switched_off(vm: &Vm, within: u64) -> Result<()> {
    assert_eq!(vm.wait_shutdown(Deadline::secs(within))?, "guest-shutdown");
    vm.qmp.wait_closed(Deadline::secs(10))
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn reboot_cancelled_shutdown_and_poweroff() -> Result<()> {
    run(
        "shutdown-commands",
        &VmSpec::default(),
        &UserData::key_only(),
        |vm| {
            restart_by(vm, || run_last_command(vm, "sudo reboot"))?;
            let resets = vm.qmp.count_events("RESET");
            vm.ssh.ok("sudo shutdown -r +1")?;
            vm.ssh.ok("sudo shutdown -c")?;
            // Longer than the minute after which the machine would have rebooted.
            vm.ssh.ok_for(120, "sleep 70")?;
            assert_eq!(
                vm.qmp.count_events("RESET"),
                resets,
                "a cancelled shutdown took place"
            );
            let began = Instant::now();
            run_last_command(vm, "sudo poweroff")?;
            wait_switched_off(vm, SHUTDOWN_TIMEOUT_SECS)?;
            println!("switched off after {:.1?}", began.elapsed());
            Ok(())
        },
    )
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn keys_and_button() -> Result<()> {
    run(
        "shutdown-buttons",
        &VmSpec::default(),
        &UserData::key_only(),
        |vm| {
            restart_by(vm, || vm.qmp.press_ctrl_alt_del())?;
            vm.qmp.press_power_button()?;
            wait_switched_off(vm, SHUTDOWN_TIMEOUT_SECS)
        },
    )
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn containers_are_given_their_grace_and_no_more() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("shutdown-grace-registry")?)?;
    let user_data = UserData::config("rancher:\n  shutdown_timeout: 30\n");
    run("shutdown-grace", &VmSpec::default(), &user_data, |vm| {
        let busybox = format!("{}/busybox", trust_registry(vm, &registry)?);
        vm.ssh.ok(&format!("docker pull {busybox}"))?;
        // The container needs more than the engine's default of 10 s, and less than its own 25 s.
        vm.ssh.ok(&format!(
            "docker run -d --stop-timeout 25 --device /dev/ttyS0 {busybox} sh -c \
             'trap \"sleep 12; echo grace: finished > /dev/ttyS0; exit\" TERM; while :; do sleep 1; done'"
        ))?;
        vm.ssh.ok(&format!(
            "docker run -d --stop-timeout 300 {busybox} sh -c 'trap \"\" TERM; while :; do sleep 1; done'"
        ))?;
        let began = Instant::now();
        run_last_command(vm, "sudo shutdown -h now")?;
        vm.console.wait_for("grace: finished", Deadline::secs(30))?;
        wait_switched_off(vm, 60)?;
        let took = began.elapsed().as_secs();
        ensure!(
            (12..=45).contains(&took),
            "the machine went down after {took} s with a deadline of 30 s"
        );
        Ok(())
    })
}
