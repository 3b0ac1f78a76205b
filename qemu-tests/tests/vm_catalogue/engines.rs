//! `ros engine`: User Docker on another engine and back, with everything that was on it; and engines that are no
//! good, which change nothing.

use anyhow::{Result, ensure};
use qemu_tests::guest::{reboot, ros, ros_ok, trust};
use qemu_tests::image::busybox;
use qemu_tests::registry::Registry;
use qemu_tests::wait::Deadline;
use qemu_tests::{Machine, MachineSpec, UserData, artifacts, http, run};

/// Programs that say their versions and do nothing else.
const IDLE: &str = "#!/bin/sh\n[ \"$1\" = --version ] && exit 0\nexit 1\n";

#[test]
#[ignore = "boots a VM: make test-vm"]
fn containers_survive_other_engines_and_bad_ones() -> Result<()> {
    let scratch = artifacts::fresh_dir("engines-registry")?;
    let registry = Registry::with_images(&scratch)?;
    registry.push_catalogue("docker-28")?;
    registry.push("no-engine", &busybox(&scratch, &["sh"], &[])?)?;
    registry.push_truncated("truncated", &busybox(&scratch, &["sh"], &[("cow", "moo")])?)?;
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
    let keys = format!(
        "rancher:\n  environment: {{PADDOCK_REGISTRY: '{}'}}\n",
        registry.tls()
    );
    let spec = MachineSpec {
        state_disk_mb: Some(4096),
        ..MachineSpec::default()
    };
    run("engines", &spec, &UserData::config(&keys), |machine| {
        assert_eq!(
            ros_ok(machine, "engine list")?,
            "disabled docker-20.10\ncurrent  docker-26\ndisabled docker-28"
        );
        let registry = trust(machine, &registry)?;
        start_workloads(machine, &registry)?;
        bad_engines(machine, &registry)?;
        let output = ros(machine, "engine switch docker-28")?;
        ensure!(
            output.status == 0 && output.stdout.contains("engine docker-28 runs"),
            "{output:?}"
        );
        ensure!(
            output.stderr.contains(" MB\n"),
            "nobody was told how far it was: {output:?}"
        );
        assert_eq!(
            ros_ok(machine, "engine list")?,
            "disabled docker-20.10\ndisabled docker-26\ncurrent  docker-28"
        );
        version(machine, "28.")?;
        workloads_run(machine)?;
        // A newer database with the data of the old one.
        let database = database(&registry, "new");
        machine.ssh.ok(&format!("docker rm -f db && {database}"))?;
        wait_for(machine, "cat /data/log", "old\nnew")?;
        reboot(machine)?;
        version(machine, "28.")?;
        workloads_run(machine)?;
        ros_ok(machine, "engine switch docker-26")?;
        let json = ros_ok(machine, "engine list --format json")?;
        let list: serde_json::Value = serde_json::from_str(&json)?;
        assert_eq!(list[1]["state"], "current", "{json}");
        version(machine, "26.")?;
        workloads_run(machine)?;
        wait_for(machine, "cat /data/log", "old\nnew")
    })
}

/// A server as Rancher's was started, a database with its volume, and a container without any restart policy.
fn start_workloads(machine: &Machine, registry: &str) -> Result<()> {
    for command in [
        format!("docker run -d --name server --restart=always -p 8080:80 {registry}/web"),
        database(registry, "old"),
        format!("docker run -d --name plain {registry}/busybox sleep 100000"),
    ] {
        machine.ssh.ok_for(180, &command)?;
    }
    workloads_run(machine)
}

/// Writes its version once into its volume.
fn database(registry: &str, version: &str) -> String {
    format!(
        "docker run -d --name db --restart=unless-stopped -v data:/data {registry}/busybox \
         sh -c 'grep -qx {version} /data/log || echo {version} >> /data/log; exec sleep 100000'"
    )
}

fn wait_for(machine: &Machine, command: &str, expected: &str) -> Result<()> {
    machine.until(&format!("`{command}`"), Deadline::secs(60), || {
        let said = machine.ssh.ok(&format!("docker exec db {command}"))?;
        ensure!(said == expected, "it says {said:?}");
        Ok(())
    })
}

fn workloads_run(machine: &Machine) -> Result<()> {
    machine.until("the user's containers", Deadline::secs(90), || {
        let names = machine.ssh.ok("docker ps --format '{{.Names}}'")?;
        for name in ["server", "db"] {
            ensure!(
                names.lines().any(|line| line == name),
                "{name} does not run: {names}"
            );
        }
        Ok(())
    })?;
    machine
        .until("the server's page", Deadline::secs(60), || {
            http::get(machine.web_port, "/")
        })
        .map(drop)
}

fn version(machine: &Machine, expected: &str) -> Result<()> {
    let version = machine.ssh.ok("docker version -f '{{.Server.Version}}'")?;
    ensure!(version.starts_with(expected), "the engine is {version}");
    Ok(())
}

/// Each is refused, and whatever runs goes on running.
fn bad_engines(machine: &Machine, registry: &str) -> Result<()> {
    let output = machine.ssh.run("ros engine list")?;
    ensure!(
        output.status == 1 && output.stderr.contains("this needs root\nhint: sudo"),
        "{output:?}"
    );
    for name in ["missing", "truncated", "no-engine", "idle"] {
        let image = if name == "missing" { "none" } else { name };
        let file = format!("/var/lib/rancher/conf/{name}.yml");
        machine.ssh.ok(&format!(
            "echo 'docker: {{image: {registry}/{image}}}' | sudo tee {file} >/dev/null"
        ))?;
    }
    let untouched = "docker inspect -f '{{.Name}} {{.State.StartedAt}}' server db plain; \
                     sudo system-docker inspect -f '{{.Id}} {{.State.StartedAt}}' docker";
    let before = machine.ssh.ok(untouched)?;
    for (name, why) in [
        ("nonesuch", "there is no engine \"nonesuch\" here"),
        ("/var/lib/rancher/conf/missing.yml", "pulling"),
        ("/var/lib/rancher/conf/truncated.yml", "pulling"),
        (
            "/var/lib/rancher/conf/no-engine.yml",
            "cannot be used: starting /usr/bin/containerd",
        ),
    ] {
        let output = ros(machine, &format!("engine switch {name}"))?;
        ensure!(
            output.status == 1 && output.stderr.contains(why),
            "`switch {name}`: {output:?}"
        );
        assert_eq!(
            machine.ssh.ok(untouched)?,
            before,
            "`switch {name}` touched something"
        );
    }
    // One that is good enough for a trial, and no more: the old one comes back, with the containers.
    let output = ros(machine, "engine switch /var/lib/rancher/conf/idle.yml")?;
    ensure!(
        output.status == 1 && output.stdout.contains("the one of before runs again"),
        "{output:?}"
    );
    version(machine, "26.")?;
    let id = "sudo system-docker inspect -f '{{.Id}}' docker";
    let now = machine.ssh.ok(id)?;
    ensure!(before.contains(&now), "it is another container");
    let all = machine
        .ssh
        .ok("sudo system-docker ps -a --format '{{.Names}}'")?;
    for left in ["docker.old", "docker.trial", "switch-engine"] {
        ensure!(
            !all.lines().any(|name| name == left),
            "{left} is left: {all}"
        );
    }
    let plain = machine
        .ssh
        .ok("docker inspect -f '{{.State.Running}}' plain")?;
    assert_eq!(
        plain, "true",
        "a container without a policy was left stopped"
    );
    workloads_run(machine)
}
