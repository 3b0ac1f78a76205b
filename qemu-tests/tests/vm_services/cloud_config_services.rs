//! Services of a cloud-config: without a scope they run in User Docker, with the scope `system` in System Docker, in
//! the order of their labels.

use std::sync::OnceLock;

use anyhow::{Result, ensure};
use qemu_tests::fixtures::daemons::{Docker, check_system_containers, start_times};
use qemu_tests::fixtures::guest::BASE_IMAGE;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::http;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{SharedVm, UserData, VmSpec};

static VM: SharedVm = SharedVm::new("services", prepare);

/// Lives to the end of the program, like the machine that pulls from it.
static REGISTRY: OnceLock<Result<Registry>> = OnceLock::new();

fn prepare() -> Result<(VmSpec, UserData)> {
    let start = || Registry::with_images(&artifacts::fresh_dir("services-registry")?);
    let registry = match REGISTRY.get_or_init(start) {
        Ok(registry) => registry.plain_address(),
        Err(error) => anyhow::bail!("{error:#}"),
    };
    let step = |name: &str, label: &str| {
        format!(
            "    {name}:\n      image: {BASE_IMAGE}\n      command: sh -c 'echo {name} >> /run/order'\n      \
             net: host\n      volumes: [/run:/run]\n      labels:\n        io.rancher.os.scope: system\n        \
             io.rancher.os.detach: \"false\"\n        {label}\n"
        )
    };
    let keys = format!(
        "rancher:\n  docker:\n    insecure_registry: ['{registry}']\n  services:\n\
         {}{}{}    page:\n      image: {registry}/web\n      ports: ['8080:80']\n      restart: always\n    \
         missing:\n      image: {registry}/no-such-image\n    \
         round-a:\n      image: {BASE_IMAGE}\n      labels: {{io.rancher.os.scope: system, io.rancher.os.after: round-b}}\n    \
         round-b:\n      image: {BASE_IMAGE}\n      labels: {{io.rancher.os.scope: system, io.rancher.os.after: round-a}}\n",
        step("third", "io.rancher.os.after: second"),
        step("second", "io.rancher.os.after: console"),
        step("first", "io.rancher.os.before: second"),
    );
    Ok((VmSpec::default(), UserData::config(&keys)))
}

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
