//! `ros console`: a program installed in a Debian console stays over a reboot; a switch to a console that does not
//! answer is undone; a machine without a console works.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::catalogue::{self, serve_definition, switch_console, wait_page};
use qemu_tests::fixtures::guest::{reboot, trust_registry, write_definition};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::vm::{BOOT_TIMEOUT_SECS, UP};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, run};

const SWITCH_TIMEOUT_SECS: u64 = 180;
const MARK: &str = "/usr/local/installed";

fn console_list(vm: &Vm) -> Result<String> {
    vm.ssh.ok("sudo ros console list")
}

#[test]
#[ignore = "long: make test-long"]
fn another_console_and_back_and_none() -> Result<()> {
    let scratch = artifacts::fresh_dir("consoles-long-registry")?;
    let registry = Registry::with_images(&scratch)?;
    registry.push_catalogue("console-debian")?;
    let keys = UserData::config(&catalogue::keys_with_page(&registry));
    run("consoles-long", &catalogue::spec(), &keys, |vm| {
        trust_registry(vm, &registry)?;
        switch_console(vm, "debian")?;
        vm.ssh.ok(&format!("echo moo | sudo tee {MARK}"))?;
        reboot(vm)?;
        assert_eq!(vm.ssh.ok(&format!("cat {MARK}"))?, "moo");
        switch_console(vm, "default")?;
        let gone = vm.ssh.run(&format!("cat {MARK}"))?;
        ensure!(gone.status != 0, "it is still the other console");
        switch_by_address(
            vm,
            &serve_definition(&registry, "console", "console-debian")?,
        )?;
        switch_to_mute_console(vm)?;
        switch_to_no_console(vm)
    })
}

/// Switches to a console whose definition comes from the network.
fn switch_by_address(vm: &Vm, address: &str) -> Result<()> {
    switch_console(vm, address)?;
    ensure!(
        console_list(vm)?.contains(&format!("current  {address}")),
        "{}",
        console_list(vm)?
    );
    vm.ssh.ok("nano --version")?;
    switch_console(vm, "default")
}

/// Switches to a console whose program runs but accepts no login; the old console comes back.
fn switch_to_mute_console(vm: &Vm) -> Result<()> {
    let file = write_definition(
        vm,
        "mute",
        "console: {image: paddock/console, command: sleep 100000}\n",
    )?;
    let id = "sudo system-docker inspect -f '{{.Id}}' console";
    let before = vm.ssh.ok(id)?;
    let mark = vm.console.mark();
    vm.ssh
        .run_for(
            SWITCH_TIMEOUT_SECS,
            &format!("sudo ros console switch --force --no-pull {file}"),
        )
        .ok();
    vm.console.wait_line_after(
        mark,
        "could not be started: it does not answer",
        Deadline::secs(SWITCH_TIMEOUT_SECS),
    )?;
    vm.wait_ssh(Deadline::secs(60))?;
    assert_eq!(vm.ssh.ok(id)?, before, "it is another console");
    ensure!(
        console_list(vm)?.contains("current  default"),
        "{}",
        console_list(vm)?
    );
    Ok(())
}

/// Without a console no login is possible, and the user's containers run on.
fn switch_to_no_console(vm: &Vm) -> Result<()> {
    let mark = vm.console.mark();
    vm.ssh
        .run_for(SWITCH_TIMEOUT_SECS, "sudo ros console switch --force none")
        .ok();
    let deadline = Deadline::secs(SWITCH_TIMEOUT_SECS);
    vm.console
        .wait_line_after(mark, "ros: console none runs", deadline)?;
    ensure!(vm.ssh.banner().is_err(), "the ssh server still answers");
    let mark = vm.console.mark();
    vm.qmp.command("system_reset", serde_json::json!({}))?;
    vm.console
        .wait_line_after(mark, UP, Deadline::secs(BOOT_TIMEOUT_SECS))?;
    wait_page(vm)?;
    ensure!(vm.ssh.banner().is_err(), "there is a console");
    Ok(())
}
