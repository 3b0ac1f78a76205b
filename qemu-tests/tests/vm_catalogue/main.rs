//! The catalogue's consoles and engines: a switch of each, and bad images, which change nothing. Services of the
//! catalogue, the ways back and interrupted switches are in long_catalogue. All tests share one boot.

use std::sync::OnceLock;

use anyhow::{Result, bail};
use qemu_tests::fixtures::catalogue;
use qemu_tests::fixtures::guest::trust_registry;
use qemu_tests::harness::artifacts;
use qemu_tests::servers::image::busybox;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{SharedVm, UserData, Vm};

mod consoles;
mod engines;

static VM: SharedVm = SharedVm::new("catalogue", || {
    let keys = catalogue::keys_with_page(registry()?);
    Ok((catalogue::spec(), UserData::config(&keys)))
});

/// Lives to the end of the program, like the machine that pulls from it.
fn registry() -> Result<&'static Registry> {
    static REGISTRY: OnceLock<Result<Registry>> = OnceLock::new();
    let start = || {
        let scratch = artifacts::fresh_dir("catalogue-registry")?;
        let registry = Registry::with_images(&scratch)?;
        registry.push_catalogue("console-debian")?;
        registry.push_catalogue("docker-28")?;
        registry.push("no-program", &busybox(&scratch, &["sh"], &[])?)?;
        registry.push_truncated("truncated", &busybox(&scratch, &["sh"], &[("cow", "moo")])?)?;
        Ok(registry)
    };
    match REGISTRY.get_or_init(start) {
        Ok(registry) => Ok(registry),
        Err(error) => bail!("{error:#}"),
    }
}

/// Makes User Docker trust the registry, and returns the prefix of an image's name.
fn image_prefix(vm: &Vm) -> Result<String> {
    trust_registry(vm, registry()?)
}
