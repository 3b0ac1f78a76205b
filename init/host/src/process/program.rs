//! A program that a supervisor runs as a process.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::lifecycle::spawn_within;

/// The limit for a start. It is far below the timeouts of watchdogs, which the supervisor feeds.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// A program with its log, and its process while it runs.
#[derive(Debug)]
pub struct Program {
    name: String,
    argv: Vec<String>,
    log: PathBuf,
    pid: Option<Pid>,
}

impl Program {
    /// A program that does not run yet.
    pub fn new(name: &str, argv: Vec<String>, log: &Path) -> Self {
        Self {
            name: name.to_owned(),
            argv,
            log: log.to_owned(),
            pid: None,
        }
    }

    /// The short name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts the program. Returns whether it runs; an error is only logged, because a supervisor tries again.
    pub fn start(&mut self) -> bool {
        match spawn_within(START_TIMEOUT, &self.argv, &self.log) {
            Ok(pid) => {
                log::info!("{} started as process {pid}", self.name);
                self.pid = Some(pid);
                true
            }
            Err(error) => {
                log::warn!("starting {}: {error:#}", self.name);
                false
            }
        }
    }

    /// Notes that process `pid` has ended. Returns whether it was this program.
    pub fn note_end(&mut self, pid: Pid) -> bool {
        let is_mine = self.pid == Some(pid);
        if is_mine {
            self.pid = None;
        }
        is_mine
    }

    /// Asks the process to end.
    pub fn terminate(&self) {
        self.send(Signal::SIGTERM);
    }

    /// Sends the process a signal, if it runs.
    pub fn send(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            let _ = kill(pid, signal);
        }
    }
}
