//! A console and an engine that a cloud-config names and the image does not have: the first boot pulls them and
//! switches, the next ones start them. And what `enable` has pulled runs from the next boot on.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::catalogue::{self, engine_is};
use qemu_tests::fixtures::guest::{problems, reboot, ros_ok, trust};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::services::registry::Registry;
use qemu_tests::{Machine, UserData};

/// Both are pulled under emulation.
const PULL_SECS: u64 = 480;

#[test]
#[ignore = "long: make test-long"]
fn console_and_engine_of_a_cloud_config() -> Result<()> {
    let scratch = artifacts::fresh_dir("chosen-registry")?;
    let registry = Registry::with_images(&scratch)?;
    registry.push_catalogue("console-debian")?;
    registry.push_catalogue("docker-28")?;
    // One document cannot have the key `docker` twice.
    let keys = catalogue::keys(&registry).replace(
        "docker: {",
        "console: debian\n  docker: {engine: docker-28, ",
    );
    let machine = Machine::start("chosen", &catalogue::spec(), &UserData::config(&keys))?;
    let result = body(&machine, &registry);
    machine.finish(result)
}

fn body(machine: &Machine, registry: &Registry) -> Result<()> {
    machine.wait_up()?;
    // Until now nothing could be pulled from it.
    trust(machine, registry)?;
    let deadline = Deadline::secs(PULL_SECS);
    for line in ["ros: console debian runs", "ros: engine docker-28 runs"] {
        machine.console.wait_for(line, deadline)?;
    }
    machine.wait_ssh(Deadline::secs(60))?;
    they_run(machine)?;
    reboot(machine)?;
    they_run(machine)?;
    ros_ok(machine, "console enable default")?;
    ros_ok(machine, "engine enable docker-26")?;
    they_run(machine)?;
    reboot(machine)?;
    engine_is(machine, "26.")?;
    let list = ros_ok(machine, "console list")?;
    ensure!(list.contains("current  default"), "{list}");
    ros_ok(machine, "console enable debian")?;
    ros_ok(machine, "engine enable docker-28")?;
    reboot(machine)?;
    they_run(machine)?;
    let found = problems(machine)?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

fn they_run(machine: &Machine) -> Result<()> {
    engine_is(machine, "28.")?;
    machine.ssh.ok("nano --version").map(drop)
}
