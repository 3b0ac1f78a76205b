//! Every way down and round again, each told from the others by what the
//! machine itself reports; a planned one is in long_shutdown.rs.

use std::time::Instant;

use anyhow::{Result, ensure};
use qemu_tests::fixtures::guest::trust;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::services::registry::Registry;
use qemu_tests::{Machine, MachineSpec, UserData, run};

/// For a machine with nothing to stop; the budget itself is measured by the
/// benchmark, on an idle host.
const DOWN_SECS: u64 = 30;

/// Tells the machine to restart by `act` and waits until it's up again.
fn restarts(machine: &Machine, act: impl FnOnce() -> Result<()>) -> Result<()> {
    let (mark, resets) = (machine.console.mark(), machine.qmp.count_events("RESET"));
    act()?;
    let data = machine
        .qmp
        .wait_nth_event("RESET", resets, Deadline::secs(DOWN_SECS))?;
    assert_eq!(data["guest"], true, "{data}");
    machine.wait_up_after(mark).map(drop)
}

/// Runs a command whose session may die with the machine.
fn last_words(machine: &Machine, command: &str) -> Result<()> {
    // Whether the session still got its status is chance; the events tell.
    machine.ssh.run_for(60, command).ok();
    Ok(())
}

fn switched_off(machine: &Machine, within: u64) -> Result<()> {
    assert_eq!(
        machine.wait_shutdown(Deadline::secs(within))?,
        "guest-shutdown"
    );
    machine.qmp.wait_closed(Deadline::secs(10))
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn reboot_cancelled_shutdown_and_poweroff() -> Result<()> {
    run(
        "shutdown-commands",
        &MachineSpec::default(),
        &UserData::key_only(),
        |machine| {
            restarts(machine, || last_words(machine, "sudo reboot"))?;
            let resets = machine.qmp.count_events("RESET");
            machine.ssh.ok("sudo shutdown -r +1")?;
            machine.ssh.ok("sudo shutdown -c")?;
            // Past the minute after which the machine would have gone down.
            machine.ssh.ok_for(120, "sleep 70")?;
            assert_eq!(
                machine.qmp.count_events("RESET"),
                resets,
                "a cancelled shutdown took place"
            );
            let began = Instant::now();
            last_words(machine, "sudo poweroff")?;
            switched_off(machine, DOWN_SECS)?;
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
        &MachineSpec::default(),
        &UserData::key_only(),
        |machine| {
            restarts(machine, || machine.qmp.press_ctrl_alt_del())?;
            machine.qmp.press_power_button()?;
            switched_off(machine, DOWN_SECS)
        },
    )
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn containers_are_given_their_grace_and_no_more() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("shutdown-grace-registry")?)?;
    let user_data = UserData::config("rancher:\n  shutdown_timeout: 30\n");
    run(
        "shutdown-grace",
        &MachineSpec::default(),
        &user_data,
        |machine| {
            let busybox = format!("{}/busybox", trust(machine, &registry)?);
            machine.ssh.ok(&format!("docker pull {busybox}"))?;
            // More than the engine's own 10 s would be killed; its own 25 s are enough.
            machine.ssh.ok(&format!(
            "docker run -d --stop-timeout 25 --device /dev/ttyS0 {busybox} sh -c \
             'trap \"sleep 12; echo grace: finished > /dev/ttyS0; exit\" TERM; while :; do sleep 1; done'"
        ))?;
            machine.ssh.ok(&format!(
            "docker run -d --stop-timeout 300 {busybox} sh -c 'trap \"\" TERM; while :; do sleep 1; done'"
        ))?;
            let began = Instant::now();
            last_words(machine, "sudo shutdown -h now")?;
            machine
                .console
                .wait_for("grace: finished", Deadline::secs(30))?;
            switched_off(machine, 60)?;
            let took = began.elapsed().as_secs();
            ensure!(
                (12..=45).contains(&took),
                "the machine went down after {took} s with a deadline of 30 s"
            );
            Ok(())
        },
    )
}
