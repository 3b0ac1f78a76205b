//! A console and an engine that a cloud-config names and the image does not have: the first boot pulls them and
//! switches, later boots start them. A console or engine that `enable` has pulled runs from the next boot on.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::catalogue::{self, check_engine_version};
use qemu_tests::fixtures::guest::{problems, reboot, ros_ok, trust_registry};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm};

/// The time limit for pulling a console and an engine under emulation.
const PULL_TIMEOUT_SECS: u64 = 480;

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
    let vm = Vm::start("chosen", &catalogue::spec(), &UserData::config(&keys))?;
    let result = body(&vm, &registry);
    vm.finish(result)
}

fn body(vm: &Vm, registry: &Registry) -> Result<()> {
    vm.wait_up()?;
    // Without the certificate no pull succeeds.
    trust_registry(vm, registry)?;
    let deadline = Deadline::secs(PULL_TIMEOUT_SECS);
    for line in ["ros: console debian runs", "ros: engine docker-28 runs"] {
        vm.console.wait_for(line, deadline)?;
    }
    vm.wait_ssh(Deadline::secs(60))?;
    check_console_and_engine(vm)?;
    reboot(vm)?;
    check_console_and_engine(vm)?;
    ros_ok(vm, "console enable default")?;
    ros_ok(vm, "engine enable docker-26")?;
    check_console_and_engine(vm)?;
    reboot(vm)?;
    check_engine_version(vm, "26.")?;
    let list = ros_ok(vm, "console list")?;
    ensure!(list.contains("current  default"), "{list}");
    ros_ok(vm, "console enable debian")?;
    ros_ok(vm, "engine enable docker-28")?;
    reboot(vm)?;
    check_console_and_engine(vm)?;
    let found = problems(vm)?;
    ensure!(found.is_empty(), "{found:?}");
    Ok(())
}

fn check_console_and_engine(vm: &Vm) -> Result<()> {
    check_engine_version(vm, "28.")?;
    vm.ssh.ok("nano --version").map(drop)
}
