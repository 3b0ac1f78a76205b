//! Questions that several tests put to a running machine.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use crate::machine::Machine;
use crate::registry::Registry;
use crate::ssh::Output;
use crate::wait::Deadline;

/// The containers every machine has in System Docker.
pub const SYSTEM_CONTAINERS: &[&str] = &[
    "udev", "network", "syslog", "ntp", "acpid", "console", "docker",
];

/// The image in System Docker that is the system's own tree.
pub const BASE_IMAGE: &str = "paddock/base";

/// A daemon that was killed answers again within so many seconds.
pub const BACK_SECS: u64 = 10;

/// Which of the two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// System Docker, on which the system runs.
    System,
    /// User Docker, which users see.
    User,
}

impl Engine {
    /// The client's command.
    pub fn client(self) -> &'static str {
        match self {
            Self::System => "sudo system-docker",
            Self::User => "docker",
        }
    }
}

/// The running containers of an engine, each with its start time.
pub fn start_times(machine: &Machine, engine: Engine) -> Result<BTreeMap<String, String>> {
    let client = engine.client();
    let text = machine.ssh.ok(&format!(
        "ids=$({client} ps -q); [ -z \"$ids\" ] || {client} inspect -f '{{{{.Name}}}} {{{{.State.StartedAt}}}}' $ids"
    ))?;
    text.lines()
        .map(|line| {
            let (name, time) = line
                .split_once(' ')
                .with_context(|| format!("reading a start time from `{line}`"))?;
            Ok((name.trim_start_matches('/').to_owned(), time.to_owned()))
        })
        .collect()
}

/// Fails unless every container runs that a machine has in System Docker.
pub fn system_containers_run(machine: &Machine) -> Result<()> {
    let running = start_times(machine, Engine::System)?;
    for name in SYSTEM_CONTAINERS {
        ensure!(
            running.contains_key(*name),
            "`{name}` does not run: {running:?}"
        );
    }
    Ok(())
}

/// What a switch may take, with a pull and everything that is stopped and started.
const ROS_SECS: u64 = 300;

/// Runs `ros` as root.
pub fn ros(machine: &Machine, arguments: &str) -> Result<Output> {
    machine
        .ssh
        .run_for(ROS_SECS, &format!("sudo ros {arguments}"))
}

/// The same for what must succeed; returns what it printed.
pub fn ros_ok(machine: &Machine, arguments: &str) -> Result<String> {
    let output = ros(machine, arguments)?;
    ensure!(output.status == 0, "`ros {arguments}`: {output:?}");
    Ok(output.stdout)
}

/// Writes a file of root's.
pub fn write_file(machine: &Machine, file: &str, text: &str) -> Result<()> {
    machine
        .ssh
        .ok(&format!("sudo tee {file} >/dev/null <<'END'\n{text}END"))
        .map(drop)
}

/// Writes a service's definition into a file of its own and returns the file's path.
pub fn define(machine: &Machine, name: &str, definition: &str) -> Result<String> {
    let file = format!("/var/lib/rancher/conf/{name}.yml");
    write_file(machine, &file, definition)?;
    Ok(file)
}

/// Restarts the machine by its own command, and waits until it is up again.
pub fn reboot(machine: &Machine) -> Result<()> {
    let mark = machine.console.mark();
    // The session may die before its status is sent.
    machine.ssh.run_for(60, "sudo reboot").ok();
    machine.qmp.wait_event("RESET", Deadline::secs(60))?;
    machine.wait_up_after(mark).map(drop)
}

/// The process ids, as the console sees them, of an engine's `program`
/// (`dockerd` or `containerd`).
pub fn engine_pids(machine: &Machine, engine: Engine, program: &str) -> Result<Vec<u32>> {
    // Only the User Docker's processes are in the container `docker`.
    let inside = machine.ssh.ok(&format!(
        "sudo system-docker top docker -eo pid,comm | awk '$2 == \"{program}\" {{ print $1 }}'"
    ))?;
    let inside = numbers(&inside)?;
    if engine == Engine::User {
        return Ok(inside);
    }
    let all = numbers(&machine.ssh.ok(&format!("pgrep -x {program}"))?)?;
    Ok(all
        .into_iter()
        .filter(|pid| !inside.contains(pid))
        .collect())
}

fn numbers(text: &str) -> Result<Vec<u32>> {
    text.split_whitespace()
        .map(|word| {
            word.parse()
                .with_context(|| format!("reading a process id from `{word}`"))
        })
        .collect()
}

/// Kills an engine's `program` the hard way, in one stroke, and waits until
/// the engine answers through a new process.
pub fn kill_and_wait(machine: &Machine, engine: Engine, program: &str) -> Result<()> {
    let pids = engine_pids(machine, engine, program)?;
    ensure!(
        !pids.is_empty(),
        "no {program} of {engine:?} Docker is running"
    );
    let list: Vec<String> = pids.iter().map(u32::to_string).collect();
    // The clock runs in the machine: an ssh session costs seconds under emulation. dockerd answers while its
    // containerd is away, and then does not say that version.
    let client = engine.client();
    let took = machine
        .ssh
        .ok(&format!(
            "sudo kill -9 {}; began=$(cut -d. -f1 /proc/uptime); \
             timeout {BACK_SECS} sh -c 'until {client} version -f \"{{{{range .Server.Components}}}}{{{{println .Name .Version}}}}{{{{end}}}}\" \
             2>/dev/null | grep -q \"^containerd [^ ]\"; do sleep 0.2; done' && \
             echo $(($(cut -d. -f1 /proc/uptime) - began))",
            list.join(" ")
        ))
        .with_context(|| format!("waiting for {engine:?} Docker after its {program} was killed"))?;
    println!("{engine:?} Docker was back {took} s after its {program} was killed");
    let now = machine.until("a new process", Deadline::secs(BACK_SECS), || {
        let now = engine_pids(machine, engine, program)?;
        ensure!(!now.is_empty(), "no {program} is running");
        Ok(now)
    })?;
    ensure!(
        now.iter().all(|pid| !pids.contains(pid)),
        "{program} was not killed: {pids:?} before, {now:?} after"
    );
    Ok(())
}

/// Makes User Docker trust the registry's certificate, without a restart, and
/// returns what goes before an image's name.
pub fn trust(machine: &Machine, registry: &Registry) -> Result<String> {
    let name = registry.tls();
    machine.ssh.ok(&format!(
        "sudo mkdir -p /etc/docker/certs.d/{name} && echo '{}' | sudo tee /etc/docker/certs.d/{name}/ca.crt >/dev/null",
        registry.certificate()?.trim()
    ))?;
    Ok(name)
}

/// The lines of `/run/ros/problems`.
pub fn problems(machine: &Machine) -> Result<Vec<String>> {
    let text = machine
        .ssh
        .ok("cat /run/ros/problems 2>/dev/null || true")?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// A system service that kills `ros sysinit` the hard way, once, before the
/// service called `before` is started.
pub fn sysinit_killer(before: &str) -> String {
    format!(
        "rancher:\n  services:\n    killer:\n      image: {BASE_IMAGE}\n      \
         command: sh -c 'if [ ! -e /run/killed-sysinit ]; then echo once > /run/killed-sysinit; pkill -9 -f \"ros sysinit\"; fi'\n      \
         privileged: true\n      pid: host\n      net: host\n      volumes: [/run:/run]\n      labels:\n        \
         io.rancher.os.scope: system\n        io.rancher.os.before: {before}\n"
    )
}
