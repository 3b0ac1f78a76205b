//! `ros engine`: User Docker on another engine, with its containers; and bad engines, which change nothing. The way
//! back, and interrupted switches, are in long_catalogue.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::catalogue::{
    self, check_engine_version, start_idle_container, wait_containers_run, wait_page,
};
use qemu_tests::fixtures::guest::{ros, ros_ok, trust_registry, write_definition};
use qemu_tests::harness::artifacts;
use qemu_tests::servers::image::busybox;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, run};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn containers_survive_another_engine_and_bad_ones() -> Result<()> {
    let scratch = artifacts::fresh_dir("engines-registry")?;
    let registry = Registry::with_images(&scratch)?;
    registry.push_catalogue("docker-28")?;
    registry.push("no-engine", &busybox(&scratch, &["sh"], &[])?)?;
    registry.push_truncated("truncated", &busybox(&scratch, &["sh"], &[("cow", "moo")])?)?;
    let keys = UserData::config(&catalogue::keys(&registry));
    run("engines", &catalogue::spec(), &keys, |vm| {
        assert_eq!(
            ros_ok(vm, "engine list")?,
            "disabled docker-20.10\ncurrent  docker-26\ndisabled docker-28"
        );
        let registry = trust_registry(vm, &registry)?;
        start_workloads(vm, &registry)?;
        refuse_bad_engines(vm, &registry)?;
        let output = ros(vm, "engine switch docker-28")?;
        ensure!(
            output.status == 0 && output.stdout.contains("engine docker-28 runs"),
            "{output:?}"
        );
        ensure!(
            output.stderr.contains(" MB\n"),
            "nobody was told how far it was: {output:?}"
        );
        assert_eq!(
            ros_ok(vm, "engine list")?,
            "disabled docker-20.10\ndisabled docker-26\ncurrent  docker-28"
        );
        check_engine_version(vm, "28.")?;
        check_workloads(vm)
    })
}

/// A server started as Rancher's was, and a container without a restart policy.
fn start_workloads(vm: &Vm, registry: &str) -> Result<()> {
    vm.ssh.ok_for(
        180,
        &format!("docker run -d --name server --restart=always -p 8080:80 {registry}/web"),
    )?;
    start_idle_container(vm, registry, "plain", "")?;
    check_workloads(vm)
}

fn check_workloads(vm: &Vm) -> Result<()> {
    wait_containers_run(vm, &["server", "plain"])?;
    wait_page(vm)
}

/// `ros` refuses each of these engines, and all containers run on.
fn refuse_bad_engines(vm: &Vm, registry: &str) -> Result<()> {
    let output = vm.ssh.run("ros engine list")?;
    ensure!(
        output.status == 1 && output.stderr.contains("this needs root\nhint: sudo"),
        "{output:?}"
    );
    for name in ["missing", "truncated", "no-engine"] {
        let image = if name == "missing" { "none" } else { name };
        write_definition(
            vm,
            name,
            &format!("docker: {{image: {registry}/{image}}}\n"),
        )?;
    }
    let untouched = "docker inspect -f '{{.Name}} {{.State.StartedAt}}' server plain; \
                     sudo system-docker inspect -f '{{.Id}} {{.State.StartedAt}}' docker";
    let before = vm.ssh.ok(untouched)?;
    for (name, why) in [
        ("nonesuch", "there is no engine \"nonesuch\" here"),
        ("/var/lib/rancher/conf/missing.yml", "pulling"),
        ("/var/lib/rancher/conf/truncated.yml", "pulling"),
        (
            "/var/lib/rancher/conf/no-engine.yml",
            "cannot be used: starting /usr/bin/containerd",
        ),
    ] {
        let output = ros(vm, &format!("engine switch {name}"))?;
        ensure!(
            output.status == 1 && output.stderr.contains(why),
            "`switch {name}`: {output:?}"
        );
        assert_eq!(
            vm.ssh.ok(untouched)?,
            before,
            "`switch {name}` touched something"
        );
    }
    Ok(())
}
