//! `ros console`: a switch to a Debian console and back; and bad consoles, which change nothing.

use anyhow::{Result, ensure};
use qemu_tests::Vm;
use qemu_tests::fixtures::catalogue::{switch_console, wait_page};
use qemu_tests::fixtures::guest::write_definition;
use qemu_tests::servers::http;

use crate::{VM, image_prefix};

const SWITCH_TIMEOUT_SECS: u64 = 180;

fn console_list(vm: &Vm) -> Result<String> {
    vm.ssh.ok("sudo ros console list")
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_bad_console_is_refused() -> Result<()> {
    VM.with(|vm| refuse_bad_consoles(vm, &image_prefix(vm)?))
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn another_console_and_back() -> Result<()> {
    VM.with(|vm| {
        // The console is pulled from the registry, whichever test comes first.
        image_prefix(vm)?;
        wait_page(vm)?;
        assert_eq!(console_list(vm)?, "disabled debian\ncurrent  default");
        switch_console(vm, "debian")?;
        assert_eq!(console_list(vm)?, "current  debian\ndisabled default");
        vm.ssh
            .ok("nano --version && docker ps && sudo system-docker ps")?;
        switch_console(vm, "default")?;
        assert_eq!(console_list(vm)?, "disabled debian\ncurrent  default");
        // The switch did not touch User Docker.
        http::get(vm.web_port, "/").map(drop)
    })
}

/// `ros` refuses each of these consoles, and sessions go on.
fn refuse_bad_consoles(vm: &Vm, registry: &str) -> Result<()> {
    for name in ["missing", "truncated", "no-program"] {
        let image = if name == "missing" { "none" } else { name };
        write_definition(
            vm,
            name,
            &format!("console: {{image: {registry}/{image}}}\n"),
        )?;
    }
    let started = "sudo system-docker inspect -f '{{.Id}} {{.State.StartedAt}}' console; \
                   docker inspect -f '{{.Id}} {{.State.StartedAt}}' page";
    let before = vm.ssh.ok(started)?;
    for (command, why) in [
        (
            "sudo ros console switch --force nonesuch",
            "there is no console \"nonesuch\" here",
        ),
        (
            "sudo ros console switch --force /var/lib/rancher/conf/missing.yml",
            "pulling",
        ),
        (
            "sudo ros console enable /var/lib/rancher/conf/truncated.yml",
            "pulling",
        ),
        (
            "sudo ros console switch --force /var/lib/rancher/conf/no-program.yml",
            "cannot be used: starting /bin/bash",
        ),
        ("echo n | sudo ros console switch debian", "Continue [y/N]"),
        ("ros console list", "this needs root\nhint: sudo"),
        (
            "sudo ros console switch --force --no-pull /var/lib/rancher/conf/missing.yml",
            "is not here\nhint: leave out --no-pull",
        ),
    ] {
        let output = vm.ssh.run_for(SWITCH_TIMEOUT_SECS, command)?;
        ensure!(
            output.status == 1 && output.stderr.contains(why),
            "`{command}`: {output:?}"
        );
    }
    let after = vm.ssh.ok(started)?;
    assert_eq!(after, before, "the console or a container was touched");
    Ok(())
}
