//! A program that a supervisor runs as a process.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::deadline;
use crate::process::lifecycle::spawn_within;

/// The limit for a start. It is far below the timeouts of watchdogs, which the supervisor feeds.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// A program with its log, and its process while it runs.
#[derive(Debug)]
pub struct Program {
    name: String,
    argv: Vec<String>,
    log: PathBuf,
    /// A file of a killed process that is in the way of the next.
    stale: Option<PathBuf>,
    pid: Option<Pid>,
}

impl Program {
    /// A program that does not run yet.
    pub fn new(name: &str, argv: Vec<String>, log: &Path) -> Self {
        Self {
            name: name.to_owned(),
            argv,
            log: log.to_owned(),
            stale: None,
            pid: None,
        }
    }

    /// Removes `file` before each start: the pid file of a killed process may name a process that lives.
    #[must_use]
    pub fn without_stale(self, file: Option<&str>) -> Self {
        Self {
            stale: file.map(PathBuf::from),
            ..self
        }
    }

    /// The short name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts the program. Returns whether it runs; an error is only logged, because a supervisor tries again.
    pub fn start(&mut self) -> bool {
        if let Some(file) = self.stale.clone() {
            let _ = deadline::within(START_TIMEOUT, || std::fs::remove_file(file), drop);
        }
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

#[cfg(test)]
mod tests {
    use super::Program;
    use nix::sys::wait::{WaitStatus, waitpid};

    #[test]
    fn the_pid_file_of_a_killed_process_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("daemon.pid");
        let file = file.to_str().unwrap();
        let argv = ["test", "!", "-e", file].map(str::to_owned);
        let log = folder.path().join("log");
        let mut program = Program::new("daemon", argv.into(), &log).without_stale(Some(file));
        for _ in 0..2 {
            std::fs::write(file, std::process::id().to_string()).unwrap();
            assert!(program.start());
            let pid = program.pid.unwrap();
            assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 0));
        }
    }
}
