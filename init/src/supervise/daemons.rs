//! The processes that PID 1 keeps running: System Docker's two daemons and `ros sysinit`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, setrlimit};
use os_config::{Config, atomic_file};

use crate::plan::supervision::Daemon;
use host::containerd::Containerd;
use host::dockerd::{CommandLine, Engine};
use host::paths::{self, SYSINIT_LOG, SYSTEM_DOCKER_LOG, SYSTEM_DOCKER_RUN};
use host::problems::{self, ProblemRecord};
use host::process::Program;

const SETTINGS_PROBLEM: &str = "system-docker.settings";

/// System Docker's containerd. PID 1 starts it, and not dockerd, so that both daemons start at the same time.
const CONTAINERD: Containerd = Containerd {
    config_file: paths::SYSTEM_CONTAINERD_CONFIG,
    root: "/var/lib/system-docker/containerd",
    state: paths::SYSTEM_CONTAINERD_STATE,
    socket: paths::SYSTEM_CONTAINERD_SOCKET,
};

/// The programs of the daemons.
#[derive(Debug)]
pub(crate) struct Daemons {
    containerd: Program,
    dockerd: Program,
    sysinit: Program,
    has_own_settings: bool,
}

impl Daemons {
    /// Writes containerd's configuration and raises the limit of open files, which the daemons inherit. The supervisor
    /// starts them.
    pub(crate) fn prepare(config: &Config) -> Result<Self> {
        raise_file_limit();
        let log = Path::new(SYSTEM_DOCKER_LOG);
        fs::create_dir_all(SYSTEM_DOCKER_RUN)
            .with_context(|| format!("making {SYSTEM_DOCKER_RUN}"))?;
        CONTAINERD.write_config()?;
        let line = CommandLine::read(Engine::System, config, Path::new("/"));
        for left in line.left_out() {
            let text = format!("{} is left out: {}", left.origin, left.why);
            problems::report(&ProblemRecord::error(
                SETTINGS_PROBLEM,
                left.origin.to_string(),
                text,
            ));
        }
        let program = |daemon: Daemon, log: &Path| {
            Program::new(daemon.name(), command_line(daemon, config), log)
        };
        Ok(Self {
            containerd: program(Daemon::Containerd, log),
            dockerd: dockerd(&line)?,
            sysinit: program(Daemon::Sysinit, Path::new(SYSINIT_LOG)),
            has_own_settings: line.is_changed(),
        })
    }

    /// Whether System Docker has settings of the user's.
    pub(crate) fn has_own_settings(&self) -> bool {
        self.has_own_settings
    }

    /// System Docker starts with the image's own settings from now on.
    pub(crate) fn use_image_settings(&mut self) -> Result<()> {
        self.dockerd = dockerd(&CommandLine::of_image(Engine::System))?;
        Ok(())
    }

    /// The program of a daemon.
    pub(crate) fn program(&mut self, daemon: Daemon) -> &mut Program {
        match daemon {
            Daemon::Containerd => &mut self.containerd,
            Daemon::Dockerd => &mut self.dockerd,
            Daemon::Sysinit => &mut self.sysinit,
        }
    }
}

/// The command line of a daemon.
pub(crate) fn command_line(daemon: Daemon, config: &Config) -> Vec<String> {
    match daemon {
        Daemon::Containerd => CONTAINERD.command_line(),
        Daemon::Dockerd => CommandLine::read(Engine::System, config, Path::new("/")).argv(),
        Daemon::Sysinit => ["/usr/bin/ros", "sysinit"].map(str::to_owned).into(),
    }
}

/// dockerd with its settings, which it finds in its file too.
fn dockerd(line: &CommandLine) -> Result<Program> {
    if let Some((path, text)) = line.file() {
        // The file may name programs, which dockerd runs as root: nobody else may write it.
        atomic_file::replace(Path::new(path), text.as_bytes(), 0o600)
            .with_context(|| format!("writing {path}"))?;
    }
    let program = Program::new(
        Daemon::Dockerd.name(),
        line.argv(),
        Path::new(SYSTEM_DOCKER_LOG),
    );
    Ok(program.without_stale(line.value("pidfile").as_deref()))
}

/// Sets RancherOS's limit for both daemons, which containers inherit.
fn raise_file_limit() {
    const FILES: u64 = 1_048_576;
    if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, FILES, FILES) {
        log::warn!("raising the limit of open files: {error}");
    }
}
