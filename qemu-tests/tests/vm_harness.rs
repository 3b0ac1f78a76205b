//! The harness itself, on the smallest system there is: the kernel and a busybox. These tests show that the harness
//! would notice a failure.

use anyhow::Result;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::media::initrd::make_busybox_initrd;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::http;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{BootMedium, Network, SeedKind, UserData, Vm, VmSpec};

/// Boots a busybox that runs `script` as PID 1.
fn boot(name: &str, script: &str) -> Result<Vm> {
    let folder = artifacts::fresh_dir(&format!("{name}-initrd"))?;
    let spec = VmSpec {
        boot_medium: BootMedium::Netboot,
        initrd: Some(make_busybox_initrd(&folder, script)?),
        network: Network::Silent,
        seed: SeedKind::None,
        memory_mb: 256,
        cpus: 1,
        reboots: false,
        ..VmSpec::default()
    };
    Vm::start(name, &spec, &UserData::key_only())
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn console_and_power_off() -> Result<()> {
    let vm = boot(
        "harness-power-off",
        "echo 'cow: ready'\nread word\necho \"cow: $word\"\npoweroff -f\n",
    )?;
    let body = || {
        vm.console.wait_for("cow: ready", Deadline::secs(120))?;
        vm.console.type_line("moo")?;
        vm.console.wait_for("cow: moo", Deadline::secs(60))?;
        assert_eq!(vm.wait_shutdown(Deadline::secs(60))?, "guest-shutdown");
        vm.qmp.wait_closed(Deadline::secs(60))
    };
    let result = body();
    vm.finish(result)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_reset_is_told_from_a_power_off() -> Result<()> {
    let vm = boot("harness-reset", "reboot -f\n")?;
    let reason = vm.wait_shutdown(Deadline::secs(120));
    let result = reason.map(|reason| assert_eq!(reason, "guest-reset"));
    vm.finish(result)
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_kernel_panic_fails_a_test_that_passed() -> Result<()> {
    let vm = boot("harness-panic", "echo 'cow: ready'\nexit 1\n")?;
    vm.console.wait_for("Kernel panic", Deadline::secs(120))?;
    let error = vm
        .finish(Ok(()))
        .expect_err("a panic on the console went unnoticed");
    assert!(
        format!("{error:#}").contains("the kernel gave up"),
        "{error:#}"
    );
    Ok(())
}

#[test]
#[ignore = "needs docker-registry and busybox-static: make test-vm"]
fn a_pushed_image_can_be_fetched() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("harness-registry")?)?;
    let tags = http::get(registry.plain_port(), "/v2/web/tags/list")?;
    assert_eq!(
        tags.body.trim_ascii(),
        br#"{"name":"web","tags":["latest"]}"#
    );
    Ok(())
}
