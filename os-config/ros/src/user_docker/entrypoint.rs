//! `ros user-docker`: process 1 of the container `docker`. It starts User Docker's containerd and dockerd, starts them
//! again when they die, and reaps orphaned processes, so that the container itself never ends.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use host::containerd::Containerd;
use host::paths::{self, USER_CONTAINERD_RUN, USER_CONTAINERD_SOCKET};
use host::process::{self, Child, Signals};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use os_config::{Config, atomic_file};

use crate::subprocess;
use crate::user_docker::apparmor;
use crate::user_docker::databases::{CONTAINERD, DOCKERD};
use crate::user_docker::health::Health;
use crate::user_docker::{container_limits, daemon_deaths, databases, notices};

const CGROUP: &str = "/sys/fs/cgroup";
/// The socket inside the container, and the socket for the rest of the machine.
const SOCKETS: [&str; 2] = [paths::DOCKER_SOCKET, paths::USER_DOCKER_SOCKET];
/// dockerd's own default.
const DATA_ROOT: &str = "/var/lib/docker";
const CONTAINERD_ROOT: &str = "/var/lib/docker/containerd/daemon";
const LOG: &str = "/var/log/docker.log";
/// The limit for dockerd's end. dockerd stops its containers within 15 s; this ends a dockerd that hangs.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only see whether the image's programs can be started.
    #[arg(long)]
    trial: bool,
    /// Extra engines do not share User Docker's data or sockets, which `rancher.docker` sets.
    // Containers that an earlier version created call the flag `--further`.
    #[arg(long, alias = "further")]
    extra_engine: bool,
}

/// The programs of User Docker, each with the argument that prints its version.
const PROGRAMS: [[&str; 2]; 4] = [
    ["/usr/bin/containerd", "--version"],
    ["/usr/sbin/dockerd", "--version"],
    ["/usr/sbin/runc", "--version"],
    ["/usr/sbin/iptables", "--version"],
];

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args.trial {
        return subprocess::try_all(&PROGRAMS).map(|()| ExitCode::SUCCESS);
    }
    let mut config = os_config::load::load(Path::new("/")).config;
    if args.extra_engine {
        remove_unique_settings(&mut config.rancher.docker);
    }
    delegate_cgroups()?;
    let parent = config.rancher.docker.options.get("cgroup_parent");
    // Containers without limits are better than no engine.
    if let Err(error) = container_limits::set(Path::new(CGROUP), parent.map(String::as_str)) {
        eprintln!("ros user-docker: limiting the containers together: {error:#}");
    }
    share_mounts()?;
    if let Err(error) = apparmor::offer() {
        notices::leave(&format!("{error:#}"));
    }
    let mut signals = Signals::watch(&[Signal::SIGTERM, Signal::SIGINT])?;
    process::keep_limited(&[LOG]);
    // A full disk must not keep User Docker from starting: nobody could prune it.
    if let Err(error) = write_tls(&config) {
        eprintln!("ros user-docker: {error:#}");
    }
    let log = Path::new(LOG);
    let mut containerd = Child::new(CONTAINERD, prepare_containerd()?, log);
    let mut dockerd = Child::new(DOCKERD, dockerd_argv(&config), log);
    let mut health = Health::new(Instant::now());
    loop {
        let now = Instant::now();
        let is_due = |child: &Child| child.due().is_some_and(|due| due <= now);
        if is_due(&dockerd) {
            remove_stale();
            set_databases_aside(DOCKERD, data_root(&config));
        }
        if is_due(&containerd) {
            set_databases_aside(CONTAINERD, Path::new(CONTAINERD_ROOT));
        }
        containerd.start_if_due(now);
        dockerd.start_if_due(now);
        health.watch(&containerd, &dockerd, now);
        let due = containerd.due().into_iter().chain(dockerd.due());
        let asked_to_stop = signals.wait(due.chain([health.wake_at(now)]).min());
        for (pid, how) in process::reap() {
            let now = Instant::now();
            for child in [&mut containerd, &mut dockerd] {
                if child.note_end(pid, now) {
                    let name = child.name();
                    health.note_end(name);
                    eprintln!("ros user-docker: {name} ended ({how}); starting it again");
                    let how = how.to_string();
                    if let Err(error) = daemon_deaths::add(name, &how) {
                        eprintln!("ros user-docker: {error:#}");
                    }
                }
            }
        }
        if !asked_to_stop.is_empty() {
            return Ok(go_down(&mut containerd, &mut dockerd, &mut signals));
        }
    }
}

/// Removes the settings of User Docker that only one engine of a machine can have.
fn remove_unique_settings(engine: &mut os_config::DaemonOptions) {
    for option in [
        "data_root",
        "graph",
        "exec_root",
        "pid_file",
        "bip",
        "bridge",
    ] {
        engine.options.remove(option);
    }
    engine.host = SOCKETS.map(|socket| format!("unix://{socket}")).into();
}

/// dockerd first: it still needs containerd to stop its containers.
fn go_down(containerd: &mut Child, dockerd: &mut Child, signals: &mut Signals) -> ExitCode {
    let began = Instant::now();
    for child in [dockerd, containerd] {
        child.stop();
        while child.is_running() && began.elapsed() < STOP_TIMEOUT {
            signals.wait(Some(Instant::now() + POLL_INTERVAL));
            for (pid, _) in process::reap() {
                child.note_end(pid, Instant::now());
            }
        }
    }
    ExitCode::SUCCESS
}

/// Moves this process out of the container's own cgroup, which may hold no process once it hands
/// controllers on (cgroup v2: "no internal processes").
fn delegate_cgroups() -> Result<()> {
    let leaf = Path::new(CGROUP).join("init");
    fs::create_dir_all(&leaf).with_context(|| format!("making {}", leaf.display()))?;
    let processes = fs::read_to_string(Path::new(CGROUP).join("cgroup.procs"))
        .context("reading cgroup.procs")?;
    for pid in processes.lines() {
        // No file of a disk. A process that has ended meanwhile needs no move.
        let _ = fs::write(leaf.join("cgroup.procs"), pid);
    }
    let controllers = fs::read_to_string(Path::new(CGROUP).join("cgroup.controllers"))
        .context("reading cgroup.controllers")?;
    for controller in controllers.split_ascii_whitespace() {
        if let Err(error) = fs::write(
            Path::new(CGROUP).join("cgroup.subtree_control"),
            format!("+{controller}"),
        ) {
            eprintln!("ros user-docker: handing on the controller {controller}: {error}");
        }
    }
    Ok(())
}

/// `docker run -v /mnt:/mnt:shared` asks for a shared mount. `/mnt` and `/media` are the host's already.
fn share_mounts() -> Result<()> {
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_SHARED,
        None::<&str>,
    )
    .context("sharing /")?;
    fs::create_dir_all(USER_CONTAINERD_RUN).with_context(|| format!("making {USER_CONTAINERD_RUN}"))
}

/// Writes containerd's configuration and returns its command line.
fn prepare_containerd() -> Result<Vec<String>> {
    let containerd = Containerd {
        config_file: paths::USER_CONTAINERD_CONFIG,
        root: CONTAINERD_ROOT,
        state: paths::USER_CONTAINERD_STATE,
        socket: USER_CONTAINERD_SOCKET,
    };
    containerd.write_config()?;
    Ok(containerd.command_line())
}

fn dockerd_argv(config: &Config) -> Vec<String> {
    let rancher = &config.rancher;
    let mut argv = os_config::keys::docker_daemon::dockerd(&rancher.docker, &rancher.network);
    argv.push(format!("--containerd={USER_CONTAINERD_SOCKET}"));
    let more = fs::read_to_string(paths::DOCKER_OPTS).unwrap_or_default();
    argv.extend(os_config::keys::docker_daemon::docker_opts(&more));
    argv
}

fn data_root(config: &Config) -> &Path {
    let options = &config.rancher.docker.options;
    let data_root = options.get("data_root").or(options.get("graph"));
    Path::new(data_root.map_or(DATA_ROOT, String::as_str))
}

/// Sets damaged databases aside before a start of their daemon.
fn set_databases_aside(daemon: &str, data_root: &Path) {
    for text in databases::set_damaged_aside(daemon, data_root) {
        notices::leave(&text);
    }
}

/// Removes the pid file and the sockets of a dockerd that was killed. Another process may have the pid by now.
fn remove_stale() {
    for file in SOCKETS.into_iter().chain([paths::USER_DOCKER_PID]) {
        let _ = fs::remove_file(file);
    }
}

/// Writes the certificates of the configuration into RancherOS's folder.
fn write_tls(config: &Config) -> Result<()> {
    let engine = &config.rancher.docker;
    if !engine.tls {
        return Ok(());
    }
    let folder = Path::new("/etc/docker/tls");
    for (name, text, mode) in [
        ("ca.pem", &engine.ca_cert, 0o644),
        ("server-cert.pem", &engine.server_cert, 0o644),
        ("server-key.pem", &engine.server_key, 0o600),
    ] {
        let Some(text) = text else { continue };
        let file = folder.join(name);
        if fs::read(&file).is_ok_and(|found| found == text.as_bytes()) {
            continue;
        }
        atomic_file::replace(&file, text.as_bytes(), mode)
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}
