//! `ros console`: what is installed in a Debian console stays over a reboot; one that does not answer; none at all.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::catalogue::{self, page_answers, serve, switch_console};
use qemu_tests::fixtures::guest::{define, reboot, trust};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::machine::{BOOT_SECS, UP};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::services::registry::Registry;
use qemu_tests::{Machine, UserData, run};

const SWITCH_SECS: u64 = 180;
const MARK: &str = "/usr/local/installed";

fn list(machine: &Machine) -> Result<String> {
    machine.ssh.ok("sudo ros console list")
}

#[test]
#[ignore = "long: make test-long"]
fn another_console_and_back_and_none() -> Result<()> {
    let scratch = artifacts::fresh_dir("consoles-long-registry")?;
    let registry = Registry::with_images(&scratch)?;
    registry.push_catalogue("console-debian")?;
    let keys = UserData::config(&catalogue::keys_with_page(&registry));
    run("consoles-long", &catalogue::spec(), &keys, |machine| {
        trust(machine, &registry)?;
        switch_console(machine, "debian")?;
        machine.ssh.ok(&format!("echo moo | sudo tee {MARK}"))?;
        reboot(machine)?;
        assert_eq!(machine.ssh.ok(&format!("cat {MARK}"))?, "moo");
        switch_console(machine, "default")?;
        let gone = machine.ssh.run(&format!("cat {MARK}"))?;
        ensure!(gone.status != 0, "it is still the other console");
        by_its_address(machine, &serve(&registry, "console", "console-debian")?)?;
        one_that_does_not_answer(machine)?;
        none(machine)
    })
}

/// A definition from the network.
fn by_its_address(machine: &Machine, address: &str) -> Result<()> {
    switch_console(machine, address)?;
    ensure!(
        list(machine)?.contains(&format!("current  {address}")),
        "{}",
        list(machine)?
    );
    machine.ssh.ok("nano --version")?;
    switch_console(machine, "default")
}

/// One whose program is started and lets nobody in.
fn one_that_does_not_answer(machine: &Machine) -> Result<()> {
    let file = define(
        machine,
        "mute",
        "console: {image: paddock/console, command: sleep 100000}\n",
    )?;
    let id = "sudo system-docker inspect -f '{{.Id}}' console";
    let before = machine.ssh.ok(id)?;
    let mark = machine.console.mark();
    machine
        .ssh
        .run_for(
            SWITCH_SECS,
            &format!("sudo ros console switch --force --no-pull {file}"),
        )
        .ok();
    machine.console.line_after(
        mark,
        "could not be started: it does not answer",
        Deadline::secs(SWITCH_SECS),
    )?;
    machine.wait_ssh(Deadline::secs(60))?;
    assert_eq!(machine.ssh.ok(id)?, before, "it is another console");
    ensure!(
        list(machine)?.contains("current  default"),
        "{}",
        list(machine)?
    );
    Ok(())
}

/// Nobody can log in, and what the user runs goes on.
fn none(machine: &Machine) -> Result<()> {
    let mark = machine.console.mark();
    machine
        .ssh
        .run_for(SWITCH_SECS, "sudo ros console switch --force none")
        .ok();
    let deadline = Deadline::secs(SWITCH_SECS);
    machine
        .console
        .line_after(mark, "ros: console none runs", deadline)?;
    ensure!(
        machine.ssh.banner().is_err(),
        "the ssh server still answers"
    );
    let mark = machine.console.mark();
    machine.qmp.command("system_reset", serde_json::json!({}))?;
    machine
        .console
        .line_after(mark, UP, Deadline::secs(BOOT_SECS))?;
    page_answers(machine)?;
    ensure!(machine.ssh.banner().is_err(), "there is a console");
    Ok(())
}
