//! The catalogue's services that are made of Debian packages: each is enabled, is started and does its work.

use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use qemu_tests::fixtures::guest::{reboot, ros, ros_ok, trust_registry};
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec, run};
use serde_json::{Value, json};

const SERVICES: [&str; 5] = [
    "node-exporter",
    "open-vm-tools",
    "qemu-guest-agent",
    "registry-mirror",
    "zram",
];

#[test]
#[ignore = "long: make test-long"]
fn services_of_debians_packages() -> Result<()> {
    let registry = Registry::with_images(&artifacts::fresh_dir("catalogue-registry")?)?;
    for name in SERVICES {
        registry.push_catalogue(name)?;
    }
    registry.push_test_image("nfs-server")?;
    let (plain, tls) = (registry.plain_address(), registry.tls_address());
    let keys = format!(
        "rancher:\n  environment: {{PADDOCK_REGISTRY: '{tls}', ZRAM_PERCENT: 25, NFS_SERVER: 127.0.0.1, NFS_PATH: /herd}}\n  services:\n    registry-mirror:\n      \
         environment: {{REGISTRY_PROXY_REMOTEURL: 'http://{plain}'}}\n"
    );
    let spec = VmSpec {
        state_disk_mb: Some(3072),
        guest_agent: true,
        ..VmSpec::default()
    };
    run("catalogue", &spec, &UserData::config(&keys), |vm| {
        let images = trust_registry(vm, &registry)?;
        let names = SERVICES.join(" ");
        vm.ssh
            .ok_for(300, &format!("sudo ros service enable {names}"))?;
        for name in SERVICES {
            vm.ssh
                .ok_for(300, &format!("sudo ros service up {name}"))
                .with_context(|| format!("starting {name}"))?;
        }
        node_exporter(vm)?;
        registry_mirror(vm)?;
        zram(vm)?;
        volume_on_nfs(vm, &images)?;
        names_of_older_catalogues(vm)?;
        // Outside VMware it ends at once, so this only checks that its libraries are there.
        let needs = vm
            .ssh
            .ok("sudo system-docker run --rm --net host --entrypoint ldd \
             $(sudo system-docker inspect -f '{{.Image}}' open-vm-tools) /usr/bin/vmtoolsd")?;
        ensure!(
            needs.contains("libvmtools.so") && !needs.contains("not found"),
            "{needs}"
        );
        guest_agent(vm)
    })
}

/// A port for the agent is there, and the agent's image comes later: the next boot starts it. The missing image is no
/// problem.
#[test]
#[ignore = "long: make test-long"]
fn guest_tools_start_by_themselves() -> Result<()> {
    const SERVICE: &str = "qemu-guest-agent";
    let registry = Registry::with_images(&artifacts::fresh_dir("guest-tools-registry")?)?;
    registry.push_catalogue(SERVICE)?;
    let spec = VmSpec {
        state_disk_mb: Some(2048),
        guest_agent: true,
        ..VmSpec::default()
    };
    run("guest-tools", &spec, &UserData::key_only(), |vm| {
        let before = format!("guest tools: {SERVICE}, as soon as its image is here");
        vm.wait_until("the port of the agent", Deadline::secs(60), || {
            let status = ros_ok(vm, "status")?;
            ensure!(status.contains(&before), "{status}");
            Ok(())
        })?;
        let from = trust_registry(vm, &registry)?;
        vm.ssh.ok_for(
            300,
            &format!(
                "sudo system-docker pull {from}/paddock/{SERVICE} && \
                 sudo system-docker tag {from}/paddock/{SERVICE} paddock.invalid/paddock/{SERVICE}"
            ),
        )?;
        reboot(vm)?;
        vm.wait_until("the agent", Deadline::secs(120), || {
            let running = vm.ssh.ok("sudo system-docker ps --format '{{.Names}}'")?;
            ensure!(running.lines().any(|name| name == SERVICE), "{running}");
            Ok(())
        })?;
        let status = ros_ok(vm, "status")?;
        ensure!(
            status.contains(&format!("KVM/QEMU, guest tools: {SERVICE}\n")),
            "{status}"
        );
        let list = ros_ok(vm, "service list")?;
        ensure!(list.contains(&format!("enabled  {SERVICE}")), "{list}");
        guest_agent(vm)
    })
}

fn node_exporter(vm: &Vm) -> Result<()> {
    let said = vm.wait_until_ok("curl -sf http://127.0.0.1:9100/metrics", Deadline::secs(60))?;
    for expected in [
        "node_memory_MemTotal_bytes ",
        "node_network_receive_bytes_total{device=\"eth0\"}",
        "mountpoint=\"/state\"",
    ] {
        ensure!(said.contains(expected), "{expected} is missing");
    }
    Ok(())
}

fn registry_mirror(vm: &Vm) -> Result<()> {
    let list = vm.wait_until_ok(
        "curl -sf http://127.0.0.1:5000/v2/busybox/tags/list",
        Deadline::secs(60),
    )?;
    ensure!(list.contains("latest"), "{list}");
    vm.ssh.ok("docker pull 127.0.0.1:5000/busybox").map(drop)
}

fn zram(vm: &Vm) -> Result<()> {
    let shown = "cat /proc/swaps";
    vm.wait_until("the swap space", Deadline::secs(60), || {
        let swaps = vm.ssh.ok(shown)?;
        ensure!(swaps.contains("/zram0"), "{swaps}");
        Ok(())
    })?;
    let said = vm
        .ssh
        .ok("sudo ros service logs zram; grep MemTotal /proc/meminfo")?;
    ensure!(said.contains("KiB of swap space on /dev/zram0"), "{said}");
    vm.ssh.ok("sudo ros service down zram")?;
    let swaps = vm.ssh.ok(shown)?;
    ensure!(!swaps.contains("/zram0"), "it is still there: {swaps}");
    Ok(())
}

/// A container's data on the volume is on the server.
fn volume_on_nfs(vm: &Vm, registry: &str) -> Result<()> {
    vm.ssh.ok_for(
        180,
        &format!("docker run -d --name server -p 2049:2049 {registry}/paddock/nfs-server"),
    )?;
    ros_ok(vm, "service enable volume-nfs")?;
    ros_ok(vm, "service up volume-nfs")?;
    let with_volume = |command: &str| {
        let whole = format!("docker run --rm -v nfs:/data {registry}/busybox sh -c '{command}'");
        vm.ssh.run_for(120, &whole)
    };
    // The server may still be starting.
    vm.wait_until("the volume on the server", Deadline::secs(60), || {
        let written = with_volume("echo moo > /data/cow")?;
        ensure!(written.status == 0, "{written:?}");
        Ok(())
    })?;
    let read = with_volume("grep \" /data nfs4 \" /proc/mounts && cat /data/cow")?;
    ensure!(
        read.stdout.contains(":/herd /data nfs4 ") && read.stdout.ends_with("moo"),
        "{read:?}"
    );
    ros_ok(vm, "service up --force-recreate volume-nfs")?;
    assert_eq!(with_volume("cat /data/cow")?.stdout, "moo");
    vm.ssh
        .ok("docker rm -f server && docker volume create own")?;
    ros_ok(vm, "config set rancher.environment.NFS_VOLUME own")?;
    let other = ros(vm, "service up volume-nfs")?;
    let said = ros_ok(vm, "service logs volume-nfs")?;
    ensure!(
        other.status == 1 && said.contains("there is a volume own already, which is another one"),
        "{other:?} {said}"
    );
    ros_ok(vm, "service disable volume-nfs").map(drop)
}

fn names_of_older_catalogues(vm: &Vm) -> Result<()> {
    let said = ros_ok(vm, "service enable --no-pull docker-compose container-cron")?;
    assert_eq!(
        said,
        "docker-compose needs no service: `docker compose` is in the console\ncontainer-cron is crontab here"
    );
    let list = ros_ok(vm, "service list")?;
    ensure!(list.contains("enabled  crontab"), "{list}");
    let said = ros_ok(vm, "service disable docker-compose container-cron")?;
    assert_eq!(
        said,
        "docker-compose is no service: `docker compose` is in the console"
    );
    let list = ros_ok(vm, "service list")?;
    ensure!(list.contains("disabled crontab"), "{list}");
    Ok(())
}

/// The host's requests to its guest; the last request is to power off.
fn guest_agent(vm: &Vm) -> Result<()> {
    let mut to = vm.guest_agent()?;
    to.set_read_timeout(Some(Duration::from_secs(60)))
        .context("setting the read timeout")?;
    let mut from = BufReader::new(to.try_clone().context("reading the agent's port")?);
    let mut send = |command: &str, arguments: Value| {
        let line = json!({"execute": command, "arguments": arguments});
        writeln!(to, "{line}").with_context(|| format!("sending {command}"))
    };
    let mut ask = |command: &str, arguments: Value| -> Result<Value> {
        send(command, arguments)?;
        let mut answer = String::new();
        from.read_line(&mut answer)
            .with_context(|| format!("waiting for the answer to {command}"))?;
        let answer: Value = serde_json::from_str(&answer)?;
        ensure!(answer.get("error").is_none(), "{command}: {answer}");
        Ok(answer["return"].clone())
    };
    let addresses = ask("guest-network-get-interfaces", json!({}))?;
    ensure!(addresses.to_string().contains("10.0.2.15"), "{addresses}");
    let name = ask("guest-get-host-name", json!({}))?;
    assert_eq!(name["host-name"], "paddock");
    let frozen = ask(
        "guest-fsfreeze-freeze-list",
        json!({"mountpoints": ["/home"]}),
    )?;
    assert_eq!(frozen, 1, "filesystems that were frozen");
    let thawed = ask("guest-fsfreeze-thaw", json!({}))?;
    assert_eq!(thawed, 1, "filesystems that were thawed");
    // The guest does not answer: the machine powers off.
    send("guest-shutdown", json!({}))?;
    vm.wait_shutdown(Deadline::secs(60)).map(drop)
}
