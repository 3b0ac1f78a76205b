//! `ros engine`: User Docker on another engine, with its containers; and bad engines, which change nothing.

use anyhow::{Result, ensure};
use qemu_tests::Vm;
use qemu_tests::fixtures::catalogue::{
    check_engine_version, start_idle_container, wait_containers_run, wait_page,
};
use qemu_tests::fixtures::guest::{check_apparmor, ros, ros_ok, write_definition};

use crate::{VM, image_prefix};

#[test]
#[ignore = "boots a VM: make test-vm"]
fn a_bad_engine_is_refused() -> Result<()> {
    VM.with(|vm| refuse_bad_engines(vm, &image_prefix(vm)?))
}

#[test]
#[ignore = "boots a VM: make test-vm"]
fn containers_survive_another_engine() -> Result<()> {
    VM.with(|vm| {
        assert_eq!(
            ros_ok(vm, "engine list")?,
            "disabled docker-20.10\ncurrent  docker-26\ndisabled docker-28"
        );
        let prefix = image_prefix(vm)?;
        start_idle_container(vm, &prefix, "server", "--restart=always")?;
        start_idle_container(vm, &prefix, "plain", "")?;
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
        check_apparmor(vm, &format!("{prefix}/busybox"))?;
        wait_containers_run(vm, &["server", "plain", "page"])?;
        wait_page(vm)
    })
}

/// `ros` refuses each of these engines, and all containers run on.
fn refuse_bad_engines(vm: &Vm, registry: &str) -> Result<()> {
    let output = vm.ssh.run("ros engine list")?;
    ensure!(
        output.status == 1 && output.stderr.contains("this needs root\nhint: sudo"),
        "{output:?}"
    );
    for name in ["missing", "truncated", "no-program"] {
        let image = if name == "missing" { "none" } else { name };
        write_definition(
            vm,
            &format!("engine-{name}"),
            &format!("docker: {{image: {registry}/{image}}}\n"),
        )?;
    }
    wait_page(vm)?;
    let untouched = "docker inspect -f '{{.Name}} {{.State.StartedAt}}' page; \
                     sudo system-docker inspect -f '{{.Id}} {{.State.StartedAt}}' docker";
    let before = vm.ssh.ok(untouched)?;
    for (name, why) in [
        ("nonesuch", "there is no engine \"nonesuch\" here"),
        ("/var/lib/rancher/conf/engine-missing.yml", "pulling"),
        ("/var/lib/rancher/conf/engine-truncated.yml", "pulling"),
        (
            "/var/lib/rancher/conf/engine-no-program.yml",
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
