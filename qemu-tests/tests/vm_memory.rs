//! Little memory: 512 MB is enough to work with; with 256 MB the machine comes up or says how much it needs.

use anyhow::{Result, bail};
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::vm::UP;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn half_a_gigabyte_pulls_and_runs() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("memory-512-registry")?)?;
    let spec = VmSpec {
        memory_mb: 512,
        ..VmSpec::default()
    };
    run("memory-512", &spec, &UserData::key_only(), |vm| {
        let busybox = format!("{}/busybox", trust_registry(vm, &registry)?);
        vm.ssh.ok(&format!("docker pull {busybox}"))?;
        assert_eq!(
            vm.ssh.ok(&format!("docker run --rm {busybox} echo moo"))?,
            "moo"
        );
        println!("used memory: {} MB", vm.used_memory_mb()?);
        Ok(())
    })
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_quarter_works_or_says_what_it_needs() -> Result<()> {
    let spec = VmSpec {
        memory_mb: 256,
        ..VmSpec::default()
    };
    let vm = Vm::start("memory-256", &spec, &UserData::key_only())?;
    let result = vm.wait_until(
        "the system to be up or to say `needs … MB`",
        Deadline::secs(300),
        || {
            let text = vm.console.text();
            if text.contains(UP)
                || text
                    .lines()
                    .any(|line| line.contains("needs ") && line.contains(" MB"))
            {
                return Ok(());
            }
            bail!("neither is on the console")
        },
    );
    vm.finish(result)
}
