//! `ros engine`: User Docker on another engine and back, over a reboot, with all its containers; and an engine that
//! does not start.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::catalogue::{
    self, check_engine_version, check_no_switch_leftovers, serve_definition, start_idle_container,
    wait_containers_run, wait_page,
};
use qemu_tests::fixtures::guest::{reboot, ros, ros_ok, trust_registry, write_definition};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::image::busybox;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, run};

/// A program that answers `--version` and fails otherwise.
const IDLE: &str = "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\nexit 1\n";

#[test]
#[ignore = "long: make test-long"]
fn containers_survive_other_engines() -> Result<()> {
    let scratch = artifacts::fresh_dir("engines-long-registry")?;
    let registry = Registry::with_images(&scratch)?;
    registry.push_catalogue("docker-28")?;
    let idle = [
        "usr/bin/containerd",
        "usr/sbin/dockerd",
        "usr/sbin/runc",
        "usr/sbin/iptables",
    ];
    registry.push(
        "idle",
        &busybox(&scratch, &["sh"], &idle.map(|path| (path, IDLE)))?,
    )?;
    let address = serve_definition(&registry, "docker", "docker-28")?;
    let keys = UserData::config(&catalogue::keys(&registry));
    run("engines-long", &catalogue::spec(), &keys, |vm| {
        let registry = trust_registry(vm, &registry)?;
        start_workloads(vm, &registry)?;
        switch_to_dead_engine(vm, &registry)?;
        // By an address; the ordinary suite switches by name.
        ros_ok(vm, &format!("engine switch {address}"))?;
        check_engine_version(vm, "28.")?;
        check_workloads(vm)?;
        // A newer database on the volume of the old database.
        let database = database_command(&registry, "new");
        vm.ssh.ok(&format!("docker rm -f db && {database}"))?;
        wait_for_output(vm, "cat /data/log", "old\nnew")?;
        reboot(vm)?;
        check_engine_version(vm, "28.")?;
        check_workloads(vm)?;
        ros_ok(vm, "engine switch docker-26")?;
        let json = ros_ok(vm, "engine list --format json")?;
        let list: serde_json::Value = serde_json::from_str(&json)?;
        let is_current =
            |line: &serde_json::Value| line["name"] == "docker-26" && line["state"] == "current";
        ensure!(
            list.as_array()
                .is_some_and(|list| list.iter().any(is_current)),
            "{json}"
        );
        check_engine_version(vm, "26.")?;
        check_workloads(vm)?;
        wait_for_output(vm, "cat /data/log", "old\nnew")
    })
}

/// A server started as Rancher's was, a database with its volume, and a container without a restart policy.
fn start_workloads(vm: &Vm, registry: &str) -> Result<()> {
    for command in [
        format!("docker run -d --name server --restart=always -p 8080:80 {registry}/web"),
        database_command(registry, "old"),
    ] {
        vm.ssh.ok_for(180, &command)?;
    }
    start_idle_container(vm, registry, "plain", "")?;
    check_workloads(vm)
}

/// The command for a database that writes its version once into its volume.
fn database_command(registry: &str, version: &str) -> String {
    format!(
        "docker run -d --name db --restart=unless-stopped -v data:/data {registry}/busybox \
         sh -c 'grep -qx {version} /data/log || echo {version} >> /data/log; exec sleep 100000'"
    )
}

fn wait_for_output(vm: &Vm, command: &str, expected: &str) -> Result<()> {
    vm.wait_until(&format!("`{command}`"), Deadline::secs(60), || {
        let said = vm.ssh.ok(&format!("docker exec db {command}"))?;
        ensure!(said == expected, "it says {said:?}");
        Ok(())
    })
}

fn check_workloads(vm: &Vm) -> Result<()> {
    wait_containers_run(vm, &["server", "db"])?;
    wait_page(vm)
}

/// Switches to an engine that passes the trial and then does not start: the old engine comes back with the containers.
fn switch_to_dead_engine(vm: &Vm, registry: &str) -> Result<()> {
    let file = write_definition(vm, "idle", &format!("docker: {{image: {registry}/idle}}\n"))?;
    let id = "sudo system-docker inspect -f '{{.Id}}' docker";
    let before = vm.ssh.ok(id)?;
    let output = ros(vm, &format!("engine switch {file}"))?;
    ensure!(
        output.status == 1 && output.stdout.contains("the one of before runs again"),
        "{output:?}"
    );
    check_engine_version(vm, "26.")?;
    assert_eq!(vm.ssh.ok(id)?, before, "it is another container");
    check_no_switch_leftovers(vm)?;
    let plain = vm.ssh.ok("docker inspect -f '{{.State.Running}}' plain")?;
    assert_eq!(
        plain, "true",
        "a container without a policy was left stopped"
    );
    check_workloads(vm)
}
