//! A program that a supervisor runs as a process.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::deadline;
use crate::process::lifecycle::spawn_with_within;

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
    /// Descriptors that each process inherits as 3 and so on.
    inherited: Vec<OwnedFd>,
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
            inherited: Vec::new(),
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

    /// Hands listening sockets to each process by systemd's protocol (`LISTEN_FDS`): they stay open while none runs, and
    /// a client that connects meanwhile is served by the next.
    #[must_use]
    pub fn with_sockets(self, sockets: Vec<OwnedFd>) -> Self {
        // Only the process itself knows its number before it starts the program.
        let script = format!(
            "export LISTEN_PID=$$ LISTEN_FDS={}; exec \"$@\"",
            sockets.len()
        );
        let shell = ["/bin/sh", "-c", &script, "sh"].map(str::to_owned);
        Self {
            argv: shell.into_iter().chain(self.argv).collect(),
            inherited: sockets,
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
        let inherited: Vec<RawFd> = self.inherited.iter().map(AsRawFd::as_raw_fd).collect();
        match spawn_with_within(START_TIMEOUT, &self.argv, &self.log, &inherited) {
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

    #[test]
    fn a_client_that_connects_before_the_process_runs_is_served() {
        use std::io::{Read, Write};
        use std::os::unix::net::{UnixListener, UnixStream};
        let folder = tempfile::tempdir().unwrap();
        let paths = ["first", "second"].map(|name| folder.path().join(name));
        let listeners = paths
            .each_ref()
            .map(|path| UnixListener::bind(path).unwrap());
        let log = folder.path().join("log");
        let mut client = UnixStream::connect(&paths[1]).unwrap();
        client.write_all(b"moo\n").unwrap();
        // The second socket is descriptor 4, and belongs to the process itself.
        let script = "[ $LISTEN_PID = $$ ] && [ $LISTEN_FDS = 2 ] && readlink /proc/self/fd/3 /proc/self/fd/4";
        let argv = ["sh", "-c", script].map(str::to_owned);
        let sockets = listeners.map(std::os::fd::OwnedFd::from);
        let mut program = Program::new("daemon", argv.into(), &log).with_sockets(sockets.into());
        assert!(program.start());
        let pid = program.pid.unwrap();
        assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Exited(pid, 0));
        let said = std::fs::read_to_string(&log).unwrap();
        assert_eq!(said.matches("socket:[").count(), 2, "{said}");
        drop(program);
        let mut left = String::new();
        assert!(client.read_to_string(&mut left).is_err() || left.is_empty());
    }
}
