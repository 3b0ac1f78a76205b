//! Services that `ros service` added, over a reboot: with their image, and before the registry has it.

use anyhow::{Result, ensure};
use qemu_tests::Vm;
use qemu_tests::fixtures::guest::{problems, ros_ok, write_definition};
use qemu_tests::harness::wait::Deadline;

fn is_running(vm: &Vm) -> Result<bool> {
    let names = vm.ssh.ok("docker ps --format '{{.Names}}'")?;
    Ok(names.lines().any(|name| name == "cow"))
}

/// Enables and starts a service, and enables a service of each scope whose image is not in the registry yet.
pub(crate) fn enable(vm: &Vm, images: &str) -> Result<()> {
    let definition = |name: &str, image: &str, labels: &str| {
        format!(
            "{name}:\n  image: {images}/{image}\n  command: [sleep, '100000']\n  stop_signal: SIGKILL\n  labels: {{{labels}}}\n"
        )
    };
    let file = write_definition(vm, "cow", &definition("cow", "busybox", "zone: meadow"))?;
    ros_ok(vm, &format!("service enable {file}"))?;
    ros_ok(vm, "service up cow")?;
    for (name, scope) in [("late", "user"), ("late-system", "system")] {
        let labels = format!("io.rancher.os.scope: {scope}, io.rancher.os.after: docker");
        let file = write_definition(vm, name, &definition(name, "late", &labels))?;
        ros_ok(vm, &format!("service enable {file}"))?;
    }
    Ok(())
}

/// After a reboot the service runs, and the images that are missing are named.
pub(crate) fn check_without_image(vm: &Vm) -> Result<()> {
    vm.wait_until("the service after a reboot", Deadline::secs(60), || {
        ensure!(is_running(vm)?, "it does not run");
        Ok(())
    })?;
    let said = problems(vm)?.join("\n");
    for name in ["late", "late-system"] {
        ensure!(said.contains(&format!("service {name}: image ")), "{said}");
    }
    Ok(())
}

/// The image is in the registry now: both services start, and the service that an operator stopped stays stopped.
pub(crate) fn check_with_image(vm: &Vm) -> Result<()> {
    ros_ok(vm, "service stop cow")?;
    vm.wait_until("both services", Deadline::secs(120), || {
        let names = vm
            .ssh
            .ok("docker ps --format '{{.Names}}'; sudo system-docker ps --format '{{.Names}}'")?;
        for name in ["late", "late-system"] {
            ensure!(names.lines().any(|line| line == name), "{names}");
        }
        Ok(())
    })?;
    ensure!(!is_running(vm)?, "what was stopped runs again");
    Ok(())
}
