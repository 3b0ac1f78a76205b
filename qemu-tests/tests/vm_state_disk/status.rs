//! `ros status` tells whether the machine is healthy, and its exit status says the same.

use anyhow::{Result, ensure};
use qemu_tests::Vm;

/// A healthy machine, and a machine without one of its services, which is started again.
pub(crate) fn check(vm: &Vm) -> Result<()> {
    let status = vm.ssh.ok("sudo ros status")?;
    for expected in [
        "healthy    yes",
        "network    eth0 10.0.2.15",
        "console    default",
    ] {
        ensure!(status.contains(expected), "{expected} is missing: {status}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&vm.ssh.ok("sudo ros status --format json")?)?;
    ensure!(
        json["healthy"] == true
            && json["system"]["running"].as_u64() > Some(3)
            && json["engine"]
                .as_str()
                .is_some_and(|name| name.starts_with("docker-"))
            && json["boot"].as_array().is_some_and(|marks| marks.len() > 8),
        "{json}"
    );
    vm.ssh.ok("sudo system-docker stop ntp")?;
    let output = vm.ssh.run("sudo ros status")?;
    ensure!(
        output.status == 1 && output.stdout.contains("service ntp does not run"),
        "{output:?}"
    );
    vm.ssh.ok("sudo ros service start ntp").map(drop)
}
