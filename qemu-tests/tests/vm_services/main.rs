//! Services of a cloud-config, services that `ros service` adds, and a Rancher agent. All tests share one boot.

use std::sync::OnceLock;

use anyhow::{Result, bail};
use qemu_tests::fixtures::guest::BASE_IMAGE;
use qemu_tests::harness::artifacts;
use qemu_tests::servers::image::busybox_program;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{SharedVm, UserData, VmSpec};

mod agent;
mod cloud_config_services;
mod service_command;

static VM: SharedVm = SharedVm::new("services", prepare);

/// Lives to the end of the program, like the machine that pulls from it.
fn registry() -> Result<&'static Registry> {
    static REGISTRY: OnceLock<Result<Registry>> = OnceLock::new();
    let start = || {
        let scratch = artifacts::fresh_dir("services-registry")?;
        let registry = Registry::with_images(&scratch)?;
        let program = &[("run.sh", agent::PROGRAM)];
        let agent = busybox_program(&scratch, &["sh", "/run.sh"], program)?;
        registry.push("agent", &agent)?;
        Ok(registry)
    };
    match REGISTRY.get_or_init(start) {
        Ok(registry) => Ok(registry),
        Err(error) => bail!("{error:#}"),
    }
}

fn prepare() -> Result<(VmSpec, UserData)> {
    let registry = registry()?.plain_address();
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
    let keys = keys + &agent::keys(&registry)?;
    Ok((VmSpec::default(), UserData::config(&keys)))
}
