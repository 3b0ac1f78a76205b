//! The processes that PID 1 keeps running: System Docker's two daemons and `ros sysinit`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sys::resource::{Resource, setrlimit};
use os_config::Config;
use os_config::keys::docker_daemon;

use host::containerd::Containerd;
use host::process::Child;

/// System Docker's containerd. PID 1 starts it, and not dockerd, so that both daemons start at the same time.
const CONTAINERD: Containerd = Containerd {
    config_file: "/run/ros/containerd.toml",
    root: "/var/lib/system-docker/containerd",
    state: "/run/system-docker/containerd",
    socket: "/run/system-docker/containerd.sock",
};
const RUN_FOLDER: &str = "/run/system-docker";

/// The children of PID 1; a shutdown stops each in its own stage.
#[derive(Debug)]
pub(crate) struct Daemons {
    pub(crate) containerd: Child,
    pub(crate) dockerd: Child,
    pub(crate) sysinit: Child,
}

impl Daemons {
    /// Writes containerd's configuration and raises the limit of open files, which the children inherit. The
    /// supervisor starts them.
    pub(crate) fn prepare(config: &Config) -> Result<Self> {
        raise_file_limit();
        let log = log_file("system-docker");
        fs::create_dir_all(RUN_FOLDER).context("making /run/system-docker")?;
        CONTAINERD.write_config()?;
        Ok(Self {
            containerd: Child::new("containerd", CONTAINERD.command_line(), &log),
            dockerd: Child::new("dockerd", dockerd_argv(config), &log),
            sysinit: Child::new(
                "ros sysinit",
                vec!["/usr/bin/ros".to_owned(), "sysinit".to_owned()],
                &log_file("sysinit"),
            ),
        })
    }

    /// The three children, in the order of their start.
    pub(crate) fn children(&mut self) -> [&mut Child; 3] {
        [&mut self.containerd, &mut self.dockerd, &mut self.sysinit]
    }
}

/// The file for the output of a child of PID 1.
pub(crate) fn log_file(name: &str) -> PathBuf {
    Path::new("/var/log").join(format!("{name}.log"))
}

/// The command line of System Docker's dockerd.
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
