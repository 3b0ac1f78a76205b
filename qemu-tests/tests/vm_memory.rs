//! Little memory: a machine with 256 MB boots, lets its user in and runs a container.

use anyhow::Result;
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, VmSpec, run};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_quarter_of_a_gigabyte_runs_a_container() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("memory-registry")?)?;
    let spec = VmSpec {
        memory_mb: 256,
        ..VmSpec::default()
    };
    run("memory-256", &spec, &UserData::key_only(), |vm| {
        let busybox = format!("{}/busybox", trust_registry(vm, &registry)?);
        vm.ssh.ok_for(180, &format!("docker pull {busybox}"))?;
        let said = vm
            .ssh
            .ok_for(120, &format!("docker run --rm {busybox} echo moo"))?;
        assert_eq!(said, "moo");
        Ok(())
    })
}
