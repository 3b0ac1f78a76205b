//! When User Docker's daemons start: after what the cloud-config mounts, writes and runs, because their data may be on a
//! disk of `mounts`, their settings in a file of `write_files`, and `start.sh` is promised to run before Docker.

use std::path::Path;
use std::time::{Duration, Instant};

use host::paths::{COMMANDS_DONE, DOCKERD_STARTED, USER_DOCKER_RUN};
use os_config::{Config, Switchable};

use crate::cloud_init;
use crate::console::runcmd::START;
use crate::user_docker::sockets::Sockets;

/// The limit for the user's own part. Docker starts after it in any case.
const LIMIT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Whether the configuration has parts that come before User Docker. They are the console's work.
pub(crate) fn has_early_work(config: &Config) -> bool {
    let console = Switchable::Console.service();
    let has_files = config.write_files.iter().any(|file| {
        let name = file.container.as_deref().unwrap_or_default();
        name.is_empty() || name == console
    });
    config.rancher.services.contains_key(console)
        && (has_files
            || !config.mounts.is_empty()
            || !config.runcmd.is_empty()
            || !cloud_init::scripts().is_empty()
            || Path::new(START).exists())
}

/// Whether `ros user-docker` has let the daemons start.
pub(crate) fn is_open() -> bool {
    Path::new(DOCKERD_STARTED).exists()
}

/// Holds the daemons back until the user's part is done.
#[derive(Debug)]
pub(super) struct StartGate {
    until: Option<Instant>,
}

impl StartGate {
    /// A gate that is open unless there is early work.
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let is_done = Path::new(USER_DOCKER_RUN).join(COMMANDS_DONE).exists() || is_open();
        let until = (!is_done && has_early_work(config)).then(|| now + LIMIT);
        Self { until }
    }

    /// The time of the next look, if the gate is closed.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.until.map(|_| now + POLL_INTERVAL)
    }

    /// Whether the daemons may start now: the user's part has ended, needs Docker itself, or has taken too long.
    pub(super) fn opens(&mut self, sockets: &Sockets, now: Instant) -> bool {
        let Some(until) = self.until else {
            return true;
        };
        let is_done = Path::new(USER_DOCKER_RUN).join(COMMANDS_DONE).exists();
        let why = if is_done {
            "the user's boot commands have ended"
        } else if sockets.has_client() {
            "a client has connected"
        } else if now >= until {
            "the user's boot commands take long"
        } else {
            return false;
        };
        eprintln!("ros user-docker: starting the daemons: {why}");
        self.until = None;
        true
    }
}
