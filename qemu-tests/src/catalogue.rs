//! What tests of the catalogue's consoles and engines share.

use anyhow::{Result, ensure};

use crate::cloud::Cloud;
use crate::guest::ros;
use crate::http;
use crate::machine::Machine;
use crate::registry::Registry;
use crate::spec::MachineSpec;
use crate::wait::Deadline;

/// What a console may take until it has been pulled, started, and answers.
const SWITCH_SECS: u64 = 300;

/// A machine with room for several engines and consoles.
pub fn spec() -> MachineSpec {
    MachineSpec {
        state_disk_mb: Some(4096),
        ..MachineSpec::default()
    }
}

/// Keys of a cloud-config that have the catalogue's images come from a registry.
pub fn keys(registry: &Registry) -> String {
    format!(
        "rancher:\n  environment: {{PADDOCK_REGISTRY: '{}'}}\n  docker: {{insecure_registry: ['{}']}}\n",
        registry.tls(),
        registry.plain()
    )
}

/// The same with a service of the user's, a page at [`Machine::web_port`].
pub fn keys_with_page(registry: &Registry) -> String {
    format!(
        "{}  services:\n    page:\n      image: {}/web\n      ports: ['8080:80']\n      restart: always\n",
        keys(registry),
        registry.plain()
    )
}

/// Serves a definition of an image of the catalogue for as long as the test runs, and returns its address.
pub fn serve(registry: &Registry, service: &str, image: &str) -> Result<String> {
    let cloud = Cloud::listen(0)?;
    let address = format!("http://10.0.2.2:{}/{service}.yml", cloud.port());
    let definition = format!("{service}: {{image: {}/paddock/{image}}}\n", registry.tls());
    cloud.answer_with(move |_| Some(definition.clone()));
    Ok(address)
}

/// Switches consoles, which ends the session that asks for it, and waits until the new one lets us in.
pub fn switch_console(machine: &Machine, name: &str) -> Result<()> {
    let mark = machine.console.mark();
    ros(machine, &format!("console switch --force {name}")).ok();
    let line = format!("ros: console {name} runs");
    machine
        .console
        .line_after(mark, &line, Deadline::secs(SWITCH_SECS))?;
    machine.wait_ssh(Deadline::secs(60))
}

/// Fails unless User Docker's engine is of a version that begins so.
pub fn engine_is(machine: &Machine, version: &str) -> Result<()> {
    let found = machine.ssh.ok("docker version -f '{{.Server.Version}}'")?;
    ensure!(found.starts_with(version), "the engine is {found}");
    Ok(())
}

/// Starts a container in User Docker that does nothing.
pub fn start_idle(machine: &Machine, registry: &str, name: &str, options: &str) -> Result<()> {
    machine
        .ssh
        .ok_for(
            180,
            &format!("docker run -d --name {name} {options} {registry}/busybox sleep 100000"),
        )
        .map(drop)
}

/// Waits until these of the user's containers run.
pub fn containers_run(machine: &Machine, expected: &[&str]) -> Result<()> {
    machine.until("the user's containers", Deadline::secs(90), || {
        let names = machine.ssh.ok("docker ps --format '{{.Names}}'")?;
        let runs = |name: &&str| names.lines().any(|line| line == *name);
        ensure!(
            expected.iter().all(runs),
            "of {expected:?} these run: {names:?}"
        );
        Ok(())
    })
}

/// Waits until a page of the user's answers.
pub fn page_answers(machine: &Machine) -> Result<()> {
    machine
        .until("the page", Deadline::secs(60), || {
            http::get(machine.web_port, "/")
        })
        .map(drop)
}

/// Fails if a switch of engines has left containers of its own.
pub fn nothing_left_of_a_switch(machine: &Machine) -> Result<()> {
    let all = machine
        .ssh
        .ok("sudo system-docker ps -a --format '{{.Names}}'")?;
    for left in ["docker.old", "docker.trial", "switch-engine"] {
        ensure!(
            !all.lines().any(|name| name == left),
            "{left} is left: {all}"
        );
    }
    Ok(())
}
