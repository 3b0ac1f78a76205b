//! Little memory: 384 MB are enough to run a container; a machine with 256 MB says how much it needs, and its console
//! takes commands, though User Docker is not expected to answer in time. 512 MB are in vm_shutdown.rs.

use anyhow::Result;
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};

#[test]
#[ignore = "long: make test-long"]
fn three_eighths_of_a_gigabyte_run_a_container() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("memory-registry")?)?;
    let spec = VmSpec {
        memory_mb: 384,
        ..VmSpec::default()
    };
    run("memory-384", &spec, &UserData::key_only(), |vm| {
        let busybox = format!("{}/busybox", trust_registry(vm, &registry)?);
        vm.ssh.ok_for(180, &format!("docker pull {busybox}"))?;
        let said = vm
            .ssh
            .ok_for(120, &format!("docker run --rm {busybox} echo moo"))?;
        assert_eq!(said, "moo");
        Ok(())
    })
}

#[test]
#[ignore = "long: make test-long"]
fn a_quarter_of_a_gigabyte_has_a_console_and_says_what_it_needs() -> Result<()> {
    let spec = VmSpec {
        memory_mb: 256,
        ..VmSpec::default()
    };
    let vm = Vm::start("memory-256", &spec, &UserData::key_only())?;
    let body = || {
        vm.console
            .wait_for("MB of memory; PaddockOS needs 224 MB", Deadline::secs(120))?;
        vm.console
            .wait_for("rancher@paddock:~$", Deadline::secs(240))?;
        let mark = vm.console.mark();
        vm.console.type_line("echo sum=$((40+2))")?;
        vm.console
            .wait_for_after(mark, "sum=42", Deadline::secs(120))
            .map(drop)
    };
    let result = body();
    vm.finish(result)
}
