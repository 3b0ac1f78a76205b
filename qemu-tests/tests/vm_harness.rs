//! The harness itself, on the smallest system there is: the kernel and a busybox. These tests show that the harness
//! would notice a failure.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::paths;
use qemu_tests::harness::spawn::{run_tool, run_tool_with_input};
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::http;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{BootMedium, Network, SeedKind, UserData, Vm, VmSpec};

/// Boots a busybox that runs `script` as PID 1.
fn boot(name: &str, script: &str) -> Result<Vm> {
    let spec = VmSpec {
        boot_medium: BootMedium::Netboot,
        initrd: Some(initrd(name, script)?),
        network: Network::Silent,
        seed: SeedKind::None,
        memory_mb: 256,
        cpus: 1,
        reboots: false,
        ..VmSpec::default()
    };
    Vm::start(name, &spec, &UserData::key_only())
}

fn initrd(name: &str, script: &str) -> Result<PathBuf> {
    fs::create_dir_all(paths::artifacts()).context("creating the artefacts' directory")?;
    let folder = tempfile::tempdir().context("making an initrd's tree")?;
    let tree = folder.path();
    for dir in ["bin", "proc", "dev"] {
        fs::create_dir_all(tree.join(dir)).context("creating an initrd's tree")?;
    }
    let busybox = ["/usr/bin/busybox", "/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).is_file());
    let busybox = busybox.context("looking for busybox (hint: install busybox-static)")?;
    fs::copy(busybox, tree.join("bin/busybox")).context("copying busybox")?;
    let init = format!(
        "#!/bin/busybox sh\n/bin/busybox --install -s /bin\nmount -t proc proc /proc\n{script}"
    );
    fs::write(tree.join("init"), init).context("writing the init script")?;
    run_tool("chmod", &["755", &tree.join("init").to_string_lossy()])?;
    let pack = format!(
        "cd '{}' && find . | {busybox} cpio -o -H newc",
        tree.display()
    );
    let archive = run_tool_with_input("sh", &["-c", &pack], &[])?;
    let file = paths::artifacts().join(format!("{name}.cpio"));
    fs::write(&file, archive).context("writing an initrd")?;
    Ok(file)
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
