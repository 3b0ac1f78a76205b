//! `ros user-docker`: process 1 of the container `docker`. It starts User Docker's containerd and dockerd, starts them
//! again when they die, and reaps orphaned processes, so that the container itself never ends.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use host::containerd::Containerd;
use host::dockerd::{CommandLine, Engine};
use host::paths::{
    self, DOCKERD_STARTED, USER_CONTAINERD_RUN, USER_CONTAINERD_SOCKET, USER_DOCKER_PID,
};
use host::process::{self, Child, Signals};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use os_config::{Config, atomic_file};

use crate::subprocess;
use crate::user_docker::apparmor;
use crate::user_docker::databases::{CONTAINERD, DOCKERD};
use crate::user_docker::health::Health;
use crate::user_docker::image_sync::ImageSync;
use crate::user_docker::sockets::Sockets;
use crate::user_docker::start_gate::{Opening, StartGate};
use crate::user_docker::trial::{Settings, Trial};
use crate::user_docker::user_containers::leftovers::LeftoverContainers;
use crate::user_docker::user_containers::limits;
use crate::user_docker::{daemon_deaths, databases, notices, remapped_user};

const CGROUP: &str = "/sys/fs/cgroup";
const DOCKERD_PROGRAM: &str = "/usr/sbin/dockerd";
/// dockerd's own default of its sockets' group.
const GROUP: &str = "docker";
const USERNS_REMAP: &str = "userns-remap";
const DATA_ROOT_FLAG: &str = "data-root";
/// The bytes at the end of the log that are searched for the cause of an end.
const LAST_LINES: i64 = 16 << 10;
/// dockerd's own default.
const DATA_ROOT: &str = "/var/lib/docker";
const CONTAINERD_ROOT: &str = "/var/lib/docker/containerd/daemon";
const LOG: &str = "/var/log/docker.log";
/// The limit for dockerd's end. dockerd stops its containers within 15 s; this ends a dockerd that hangs.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The machine waits for the end of both daemons.
const END_POLL_INTERVAL: Duration = Duration::from_millis(20);

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
    let daemons = delegate_cgroups()?;
    let parent = config.rancher.docker.options.get("cgroup_parent");
    let containers = limits::cgroup(Path::new(CGROUP), parent.map(String::as_str));
    // Containers without limits are better than no engine.
    let limited = limits::set(&containers)
        .and_then(|()| limits::protect(&daemons))
        .and_then(|()| limits::bar_from_zram(&containers, &config));
    if let Err(error) = limited {
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
    let group = config.rancher.docker.options.get("group");
    let sockets = Sockets::open(group.map_or(GROUP, String::as_str))?;
    let containerd = Child::new(CONTAINERD, prepare_containerd()?, Path::new(LOG));
    let Some(opening) = wait_for_early_work(&config, &sockets, &mut signals) else {
        return Ok(ExitCode::SUCCESS);
    };
    // The mark is in memory.
    fs::write(DOCKERD_STARTED, "").with_context(|| format!("writing {DOCKERD_STARTED}"))?;
    let line = read_settings(&config);
    let data_root = line.value(DATA_ROOT_FLAG).unwrap_or(DATA_ROOT.into());
    if let Some(text) = opening.problem(&data_root, DATA_ROOT) {
        notices::leave(&text);
    }
    let image_sync = ImageSync::start(data_root)?;
    let daemons = Daemons::new(containerd, &line, sockets, containers)?;
    daemons.keep_running(&mut signals, image_sync)
}

/// Waits for the user's part of the boot. Returns why the daemons may start; `None` if this process is to end.
fn wait_for_early_work(
    config: &Config,
    sockets: &Sockets,
    signals: &mut Signals,
) -> Option<Opening> {
    let gate = StartGate::new(config, Instant::now());
    loop {
        let now = Instant::now();
        if let Some(opening) = gate.look(sockets, now) {
            if let Some(why) = opening.log_line() {
                eprintln!("ros user-docker: starting the daemons: {why}");
            }
            return Some(opening);
        }
        if !signals.wait(gate.wake_at(now)).is_empty() {
            return None;
        }
        process::reap();
    }
}

/// The settings of dockerd, without those that it would not start with.
fn read_settings(config: &Config) -> CommandLine {
    let mut line = CommandLine::read(Engine::User, config, Path::new("/"));
    if let Some(user) = line.value(USERNS_REMAP)
        && let Err(error) = remapped_user::prepare(&user)
    {
        line.leave_out(USERNS_REMAP, None, &format!("{error:#}"));
    }
    let line = line.without_refused(check);
    for left in line.left_out() {
        notices::leave(&format!("{} is left out: {}", left.origin, left.why));
    }
    line
}

/// dockerd's own check of its settings.
fn check(line: &CommandLine) -> Result<(), String> {
    let checked = || -> Result<Option<String>> {
        Settings::from_line(line).write_file()?;
        let arguments = line.arguments();
        let mut words = vec!["--validate"];
        words.extend(arguments.iter().map(String::as_str));
        subprocess::failure(DOCKERD_PROGRAM, &words, None)
    };
    match checked() {
        Ok(None) => Ok(()),
        Ok(Some(said)) => {
            let first = said.lines().next().unwrap_or("dockerd refuses it");
            Err(first.trim_start_matches("Status: ").to_owned())
        }
        Err(error) => Err(format!("{error:#}")),
    }
}

/// User Docker's two daemons.
struct Daemons {
    containerd: Child,
    dockerd: Child,
    sockets: Sockets,
    trial: Trial,
    data_root: PathBuf,
    pid_file: String,
    /// The cgroup of the containers.
    cgroup: PathBuf,
    /// dockerd's option `live-restore`: containers outlive it.
    keeps_containers: bool,
    /// The containers of a dockerd that has died, until they have ended.
    leftovers: Option<LeftoverContainers>,
}

impl Daemons {
    fn new(
        containerd: Child,
        line: &CommandLine,
        sockets: Sockets,
        cgroup: PathBuf,
    ) -> Result<Self> {
        let trial = Trial::new(line, Instant::now());
        let dockerd = dockerd(trial.settings(), &sockets)?;
        Ok(Self {
            containerd,
            dockerd,
            sockets,
            trial,
            data_root: line
                .value(DATA_ROOT_FLAG)
                .unwrap_or(DATA_ROOT.into())
                .into(),
            pid_file: line.value("pidfile").unwrap_or(USER_DOCKER_PID.into()),
            cgroup,
            keeps_containers: line.value("live-restore").as_deref() == Some("true"),
            leftovers: None,
        })
    }

    /// Starts the daemons, and starts them again when they end, until a signal comes.
    fn keep_running(mut self, signals: &mut Signals, image_sync: ImageSync) -> Result<ExitCode> {
        let mut health = Health::new(Instant::now());
        loop {
            let now = Instant::now();
            let is_due = |child: &Child| child.due().is_some_and(|due| due <= now);
            self.leftovers
                .take_if(|containers| containers.are_gone(now));
            let is_free = self.leftovers.is_none();
            if is_free && is_due(&self.dockerd) {
                // Another process may have the number of a dockerd that was killed by now.
                let _ = fs::remove_file(&self.pid_file);
                set_databases_aside(DOCKERD, &self.data_root);
            }
            if is_due(&self.containerd) {
                set_databases_aside(CONTAINERD, Path::new(CONTAINERD_ROOT));
            }
            self.containerd.start_if_due(now);
            if is_free {
                self.dockerd.start_if_due(now);
            }
            health.watch(&self.containerd, &self.dockerd, now);
            if self.trial.watch(now) {
                self.dockerd.send(Signal::SIGKILL);
            }
            let dockerd_due = match is_free {
                true => self.dockerd.due(),
                false => Some(now + POLL_INTERVAL),
            };
            let due = self.containerd.due().into_iter().chain(dockerd_due);
            let watched = [Some(health.wake_at(now)), self.trial.wake_at(now)];
            let asked_to_stop = signals.wait(due.chain(watched.into_iter().flatten()).min());
            if !asked_to_stop.is_empty() {
                // A dockerd that ends waits five seconds for the end of each connection that follows its events.
                drop(image_sync);
                return Ok(go_down(&mut self.containerd, &mut self.dockerd, signals));
            }
            for (pid, how) in process::reap() {
                let now = Instant::now();
                let ended = [&mut self.containerd, &mut self.dockerd]
                    .into_iter()
                    .find_map(|child| child.note_end(pid, now).then(|| child.name().to_owned()));
                let Some(name) = ended else { continue };
                health.note_end(&name);
                eprintln!("ros user-docker: {name} ended ({how}); starting it again");
                let how = how.to_string();
                if let Err(error) = daemon_deaths::add(&name, &how) {
                    eprintln!("ros user-docker: {error:#}");
                }
                if name == DOCKERD {
                    if !self.keeps_containers {
                        let containers = LeftoverContainers::stop(&self.cgroup, now);
                        self.leftovers = Some(containers);
                    }
                    self.change_settings(&how)?;
                }
            }
        }
    }

    /// After an end of dockerd: the next start may have other settings.
    fn change_settings(&mut self, how: &str) -> Result<()> {
        let now = Instant::now();
        if let Some((settings, text)) = self.trial.note_end(&cause(how), now) {
            notices::leave(&text);
            self.dockerd = dockerd(&settings, &self.sockets)?;
        }
        Ok(())
    }
}

/// dockerd with its settings, and the sockets.
fn dockerd(settings: &Settings, sockets: &Sockets) -> Result<Child> {
    settings.write_file()?;
    let child = Child::new(DOCKERD, settings.argv.clone(), Path::new(LOG));
    Ok(child.with_sockets(sockets.descriptors()?))
}

/// The last line of the log, in which dockerd gives the cause of its end.
fn cause(how: &str) -> String {
    let mut end = Vec::new();
    if let Ok(mut log) = File::open(LOG) {
        // A shorter log is read from its start.
        let _ = log.seek(SeekFrom::End(-LAST_LINES));
        let _ = log.read_to_end(&mut end);
    }
    let text = String::from_utf8_lossy(&end).into_owned();
    let last = text
        .lines()
        .rfind(|line| line.contains("failed to start daemon"));
    last.map_or_else(|| how.to_owned(), str::to_owned)
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
    engine.host.clear();
}

/// dockerd first: it still needs containerd to stop its containers.
fn go_down(containerd: &mut Child, dockerd: &mut Child, signals: &mut Signals) -> ExitCode {
    let began = Instant::now();
    for child in [dockerd, containerd] {
        child.stop();
        while child.is_running() && began.elapsed() < STOP_TIMEOUT {
            signals.wait(Some(Instant::now() + END_POLL_INTERVAL));
            for (pid, _) in process::reap() {
                child.note_end(pid, Instant::now());
            }
        }
    }
    ExitCode::SUCCESS
}

/// Moves this process out of the container's own cgroup, which may hold no process once it hands
/// controllers on (cgroup v2: "no internal processes"). Returns its new cgroup, which the daemons inherit.
fn delegate_cgroups() -> Result<PathBuf> {
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
    Ok(leaf)
}

/// `docker run -v /var/lib/kubelet:/var/lib/kubelet:rshared` asks for a shared mount. Mounts of the machine's go on
/// coming in, and none goes out but below `/mnt` and `/media`, which are the machine's own.
fn share_mounts() -> Result<()> {
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_SHARED | MsFlags::MS_REC,
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

/// Sets damaged databases aside before a start of their daemon.
fn set_databases_aside(daemon: &str, data_root: &Path) {
    for text in databases::set_damaged_aside(daemon, data_root) {
        notices::leave(&text);
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
