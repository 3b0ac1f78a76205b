//! Services of a cloud-config: without a scope they run in User Docker, with the scope `system` in System Docker, in
//! the order of their labels.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::daemons::{Docker, check_system_containers, start_times};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::http;

use crate::VM;

#[test]
#[ignore = "boots a VM: make test-vm"]
fn the_systems_containers_run() -> Result<()> {
    VM.with(check_system_containers)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_service_without_scope_is_the_users() -> Result<()> {
    VM.with(|vm| {
        let answer = vm.wait_until("the service's page", Deadline::secs(60), || {
            http::get(vm.web_port, "/")
        })?;
        assert_eq!(
            String::from_utf8_lossy(&answer.body),
            "the page of the web image\n"
        );
        ensure!(
            vm.ssh
                .ok("docker ps --format '{{.Names}}'")?
                .contains("page"),
            "it is not in User Docker"
        );
        ensure!(
            !start_times(vm, Docker::System)?.contains_key("page"),
            "it is in System Docker"
        );
        Ok(())
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn labels_order_system_services() -> Result<()> {
    VM.with(|vm| {
        assert_eq!(vm.ssh.ok("cat /run/order")?, "first\nsecond\nthird");
        let labels = vm
            .ssh
            .ok("sudo system-docker inspect -f '{{json .Config.Labels}}' third")?;
        ensure!(labels.contains("io.rancher.os.config-hash"), "{labels}");
        Ok(())
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_missing_image_and_a_cycle_are_named_and_stop_nothing_else() -> Result<()> {
    VM.with(|vm| {
        let console = vm.console.text();
        for name in ["no-such-image", "round-a"] {
            ensure!(console.contains(name), "the console does not name `{name}`");
        }
        Ok(())
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn the_boot_is_told_in_phases() -> Result<()> {
    VM.with(|vm| {
        let console = vm.console.text();
        for phase in 1..=8 {
            ensure!(
                console.contains(&format!("ros[{phase}/8]")),
                "phase {phase} is not on the console"
            );
        }
        vm.ssh.ok("ros boot-time")?;
        let timeline = vm.ssh.ok("ros boot-time --format json")?;
        serde_json::from_str::<serde_json::Value>(&timeline)?;
        Ok(())
    })
}
