//! The processes that PID 1 keeps running: System Docker's two daemons and `ros sysinit`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, setrlimit};
use os_config::Config;
use os_config::keys::docker_daemon;

use crate::plan::supervision::Daemon;
use host::containerd::Containerd;
use host::paths::{self, SYSINIT_LOG, SYSTEM_DOCKER_LOG, SYSTEM_DOCKER_RUN};
use host::process::Program;

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
        let program = |daemon: Daemon, log: &Path| {
            Program::new(daemon.name(), command_line(daemon, config), log)
        };
        Ok(Self {
            containerd: program(Daemon::Containerd, log),
            dockerd: program(Daemon::Dockerd, log).without_stale(
                config
                    .rancher
                    .system_docker
                    .options
                    .get("pid_file")
                    .map(String::as_str),
            ),
            sysinit: program(Daemon::Sysinit, Path::new(SYSINIT_LOG)),
        })
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
        Daemon::Dockerd => dockerd_argv(config),
        Daemon::Sysinit => ["/usr/bin/ros", "sysinit"].map(str::to_owned).into(),
    }
}

fn dockerd_argv(config: &Config) -> Vec<String> {
    let rancher = &config.rancher;
    let mut argv = docker_daemon::dockerd(&rancher.system_docker, &rancher.network);
    argv.extend([
        format!("--containerd={}", CONTAINERD.socket),
        // crun starts a container in half of runc's time (0.57 s against 1.05 s under emulation).
        "--add-runtime=crun=/usr/bin/crun".to_owned(),
        "--default-runtime=crun".to_owned(),
    ]);
    argv
}

/// Sets RancherOS's limit for both daemons, which containers inherit.
fn raise_file_limit() {
    const FILES: u64 = 1_048_576;
    if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, FILES, FILES) {
        log::warn!("raising the limit of open files: {error}");
    }
}
