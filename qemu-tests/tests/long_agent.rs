//! A Rancher agent over its life: the server away at the boot, between script and registration, and later; containers
//! deleted; a reboot; both versions, by `rancher.agent` and as services.

use anyhow::{Result, ensure};
use qemu_tests::fixtures::guest::reboot;
use qemu_tests::harness::artifacts;
use qemu_tests::harness::wait::Deadline;
use qemu_tests::servers::cloud::{Cloud, Request};
use qemu_tests::servers::image::busybox_program;
use qemu_tests::servers::registry::Registry;
use qemu_tests::{UserData, Vm, VmSpec};

const SCRIPT: &str = "/v1/scripts/T0KEN:1483142400000:abc";
const REGISTER: &str = "/v1/register";
/// The paths for an agent that is an ordinary service, as in Rancher's documentation.
const SCRIPT_OF_SERVICE: &str = "/v1/scripts/DOCUMENTED";
const REGISTER_SERVICE: &str = "/v1/register-service";
/// Agents of version 2 send their arguments to this path.
const REGISTER_2: &str = "/v2";
/// Like the real agent's program: it fetches the script from the given address and runs it, or fails.
const AGENT: &str = "#!/bin/sh\nwget -qO /tmp/script \"$1\" && exec sh /tmp/script\n";

/// The agent of version 2 gets the server's address as an option. This program only reports its arguments.
const AGENT_2: &str = "#!/bin/sh\nall=\"$*\"\nwhile [ \"$1\" != --server ]; do shift; done\n\
    wget -qO- --post-data=\"$all\" \"$2/v2\" && exec sleep 200000\n";

/// The server's answers: a script by the token, and a welcome to registrations.
fn respond(request: &Request, port: u16) -> Option<String> {
    match request.path.as_str() {
        SCRIPT => Some(format!(
            "wget -qO- --post-data=\"ip=$CATTLE_AGENT_IP labels=$CATTLE_HOST_LABELS docker=$(ls /var/run/docker.sock) state=$(ls -d /var/lib/rancher)\" \
             http://10.0.2.2:{port}{REGISTER} && exec sleep 100000\n"
        )),
        SCRIPT_OF_SERVICE => Some(format!(
            "wget -qO- --post-data=\"ip=$CATTLE_AGENT_IP docker=$(ls /var/run/docker.sock)\" \
             http://10.0.2.2:{port}{REGISTER_SERVICE} && exec sleep 300000\n"
        )),
        // Docker logs a line once it is complete.
        REGISTER | REGISTER_SERVICE | REGISTER_2 => Some("welcome\n".to_owned()),
        _ => None,
    }
}

/// Waits for registration number `count` at `path`, and returns its body.
fn wait_registration_at(vm: &Vm, cloud: &Cloud, path: &str, count: usize) -> Result<String> {
    vm.wait_until(
        &format!("registration {count} at {path}"),
        Deadline::secs(120),
        || {
            let all: Vec<String> = cloud
                .requests()
                .into_iter()
                .filter(|request| request.path == path)
                .map(|request| request.body)
                .collect();
            ensure!(all.len() >= count, "{} so far", all.len());
            Ok(all[count - 1].clone())
        },
    )
}

fn wait_registration(vm: &Vm, cloud: &Cloud, count: usize) -> Result<String> {
    wait_registration_at(vm, cloud, REGISTER, count)
}

/// The number of requests for `path` that got no answer.
fn count_attempts(cloud: &Cloud, path: &str) -> usize {
    let all = cloud.unanswered_requests().into_iter();
    all.filter(|request| request.path == path).count()
}

fn wait_for_attempts(vm: &Vm, cloud: &Cloud, path: &str, count: usize) -> Result<()> {
    let what = format!("{count} attempts at {path}");
    vm.wait_until(&what, Deadline::secs(120), || {
        let found = count_attempts(cloud, path);
        ensure!(found >= count, "{found} so far");
        Ok(())
    })
}

#[test]
#[ignore = "long: make test-long"]
fn an_agent_registers_whenever_it_can() -> Result<()> {
    let scratch = artifacts::fresh_dir("agent-registry")?;
    let registry = Registry::start(&scratch)?;
    registry.push(
        "agent",
        &busybox_program(&scratch, &["sh", "/run.sh"], &[("run.sh", AGENT)])?,
    )?;
    registry.push(
        "agent2",
        &busybox_program(&scratch, &["sh", "/run.sh"], &[("run.sh", AGENT_2)])?,
    )?;
    let cloud = Cloud::listen(0)?;
    let (private, port) = (registry.private_address(), cloud.port());
    let keys = format!(
        "rancher:\n  docker: {{insecure_registry: ['{private}']}}\n  \
         registry_auths: {{'{private}': {{username: cow, password: moo}}}}\n  agent:\n    url: http://10.0.2.2:{port}{SCRIPT}\n    \
         image: {private}/agent\n    ip: 10.0.2.15\n    labels: {{zone: meadow}}\n  services:\n    \
         rancher-agent1:\n      image: {private}/agent\n      privileged: true\n      restart: on-failure\n      \
         command: http://10.0.2.2:{port}{SCRIPT_OF_SERVICE}\n      environment: [CATTLE_AGENT_IP=10.0.2.15]\n      \
         volumes: ['/var/run/docker.sock:/var/run/docker.sock', '/var/lib/rancher:/var/lib/rancher']\n    \
         rancher-agent2:\n      image: {private}/agent2\n      privileged: true\n      restart: unless-stopped\n      net: host\n      \
         command: --server http://10.0.2.2:{port} --token t --ca-checksum c --worker\n      \
         volumes: ['/etc/kubernetes:/etc/kubernetes', '/var/run:/var/run']\n"
    );
    // The server is away while the machine boots, and the boot does not wait for it.
    let spec = VmSpec {
        state_disk_mb: Some(1024),
        ..VmSpec::default()
    };
    let vm = Vm::start("agent", &spec, &UserData::config(&keys))?;
    let result = vm.wait_up().and_then(|_| body(&vm, &cloud));
    vm.finish(result)
}

fn body(vm: &Vm, cloud: &Cloud) -> Result<()> {
    let port = cloud.port();
    // The agent repeats its request while the server is away.
    wait_for_attempts(vm, cloud, SCRIPT, 2)?;
    // The server comes back, and goes away between the script and the registration.
    cloud.respond_below(&["/v1/scripts"], move |request| respond(request, port));
    wait_for_attempts(vm, cloud, REGISTER, 1)?;
    cloud.respond_with(move |request| respond(request, port));
    let said = wait_registration(vm, cloud, 1)?;
    assert_eq!(
        said,
        "ip=10.0.2.15 labels=zone=meadow docker=/var/run/docker.sock state=/var/lib/rancher"
    );
    check_services(vm, cloud)?;
    // The server restarts: the agent loses it and registers again when it answers.
    cloud.fall_silent_below(&["/", "/v1/scripts"]);
    let before = count_attempts(cloud, SCRIPT);
    vm.ssh.ok("sudo pkill -9 -xf 'sleep 100000'")?;
    wait_for_attempts(vm, cloud, SCRIPT, before + 1)?;
    cloud.respond_below(&["/", "/v1/scripts"], move |request| respond(request, port));
    wait_registration(vm, cloud, 2)?;
    // All containers are deleted: one command brings the agent back, and so does the next boot.
    vm.ssh.ok("docker rm -f $(docker ps -qa)")?;
    vm.ssh.ok_for(120, "sudo ros service up agent")?;
    wait_registration(vm, cloud, 3)?;
    vm.ssh.ok("docker rm -f $(docker ps -qa)")?;
    reboot(vm)?;
    wait_registration(vm, cloud, 4)?;
    // A changed configuration makes a new agent.
    vm.ssh
        .ok("sudo ros config set rancher.agent.labels.zone stable")?;
    vm.ssh.ok_for(120, "sudo ros service up agent")?;
    let said = wait_registration(vm, cloud, 5)?;
    ensure!(said.contains("labels=zone=stable"), "{said}");
    check_secrets_are_hidden(vm)?;
    // An agent of version 2.
    let private = vm.ssh.ok("sudo ros config get rancher.agent.image")?;
    let agent = format!(
        "{{url: 'http://10.0.2.2:{port}', token: T0KEN2, image: {private}2, ip: 10.0.2.15, roles: [worker, etcd], labels: {{zone: a}}}}"
    );
    vm.ssh
        .ok(&format!("sudo ros config set rancher.agent \"{agent}\""))?;
    vm.ssh.ok_for(120, "sudo ros service up agent")?;
    vm.wait_until("version 2's registration", Deadline::secs(120), || {
        let expected = format!(
            "--server http://10.0.2.2:{port} --token T0KEN2 --address 10.0.2.15 --label zone=a --etcd --worker"
        );
        let all = cloud.requests();
        ensure!(all.iter().any(|request| request.body == expected), "{all:?}");
        Ok(())
    })
}

/// Checks the documented services of both versions.
fn check_services(vm: &Vm, cloud: &Cloud) -> Result<()> {
    let said = wait_registration_at(vm, cloud, REGISTER_SERVICE, 1)?;
    assert_eq!(said, "ip=10.0.2.15 docker=/var/run/docker.sock");
    let said = wait_registration_at(vm, cloud, REGISTER_2, 1)?;
    let port = cloud.port();
    let expected = format!("--server http://10.0.2.2:{port} --token t --ca-checksum c --worker");
    assert_eq!(said, expected);
    Ok(())
}

fn check_secrets_are_hidden(vm: &Vm) -> Result<()> {
    let shown = vm.ssh.ok("sudo ros config export")?;
    ensure!(!shown.contains("T0KEN"), "the token is shown: {shown}");
    ensure!(!shown.contains("moo"), "the password is shown: {shown}");
    let report = vm.ssh.ok_for(
        180,
        "sudo ros report -o /tmp/r.tar.gz >/dev/null 2>&1 && mkdir /tmp/r && sudo tar -xzf /tmp/r.tar.gz -C /tmp/r && \
         sudo grep -rl -e T0KEN -e 'password: moo' /tmp/r | wc -l; sudo cat /tmp/r/status.txt /tmp/r/logs/agent.txt; ls /tmp/r",
    )?;
    ensure!(
        report.starts_with("0\n"),
        "secrets are in the report: {report}"
    );
    for expected in ["healthy ", "agent | ", "dmesg.txt", "kernel-line.txt"] {
        ensure!(report.contains(expected), "{expected} is missing: {report}");
    }
    Ok(())
}
