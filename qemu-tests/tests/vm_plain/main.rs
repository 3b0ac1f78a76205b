//! A machine whose cloud-config only sets an ssh key: its console, its two engines, and killed processes. All tests
//! share one boot; each leaves the machine as it found it.

use std::sync::OnceLock;

use anyhow::{Result, bail};
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{SharedVm, UserData, Vm, VmSpec};

mod console;
mod docker_use;
mod isolation;
mod kills;

static VM: SharedVm = SharedVm::new("plain", || Ok((VmSpec::default(), UserData::key_only())));

/// Has the images `busybox` and `web` in User Docker by these names.
fn pull_images(vm: &Vm) -> Result<()> {
    /// Lives to the end of the program, like the machine that pulls from it.
    static REGISTRY: OnceLock<Result<Registry>> = OnceLock::new();
    let start = || Registry::with_images(&artifacts::fresh_dir("plain-registry")?);
    let registry = match REGISTRY.get_or_init(start) {
        Ok(registry) => registry,
        Err(error) => bail!("{error:#}"),
    };
    let prefix = trust_registry(vm, registry)?;
    for name in ["busybox", "web"] {
        vm.ssh.ok(&format!(
            "docker image inspect {name} >/dev/null 2>&1 || (docker pull -q {prefix}/{name} && docker tag {prefix}/{name} {name})"
        ))?;
    }
    Ok(())
}
