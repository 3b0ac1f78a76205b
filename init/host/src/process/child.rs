//! A program that is started again whenever its process ends.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::process::program::Program;
use crate::restart::Schedule;

/// A program and the times of its starts.
#[derive(Debug)]
pub struct Child {
    program: Program,
    schedule: Schedule,
}

impl Child {
    /// A child that is started at the next [`Child::start_if_due`].
    pub fn new(name: &str, argv: Vec<String>, log: &Path) -> Self {
        Self {
            program: Program::new(name, argv, log),
            schedule: Schedule::new(Instant::now()),
        }
    }

    /// The program gets listening sockets, see [`Program::with_sockets`].
    #[must_use]
    pub fn with_sockets(self, sockets: Vec<OwnedFd>) -> Self {
        Self {
            program: self.program.with_sockets(sockets),
            ..self
        }
    }

    /// The short name for messages.
    pub fn name(&self) -> &str {
        self.program.name()
    }

    /// The time of the next start; `None` while the child runs or after it was stopped.
    pub fn due(&self) -> Option<Instant> {
        self.schedule.due()
    }

    /// Whether the child runs.
    pub fn is_running(&self) -> bool {
        self.schedule.is_running()
    }

    /// Starts the child if its time has come. After an error it is tried again later.
    pub fn start_if_due(&mut self, now: Instant) {
        if !self.schedule.is_due(now) {
            return;
        }
        if self.program.start() {
            self.schedule.note_start(now);
        } else {
            self.schedule.note_failed_start(now);
        }
    }

    /// Notes that process `pid` has ended. Returns whether it was this child.
    pub fn note_end(&mut self, pid: Pid, now: Instant) -> bool {
        let is_mine = self.program.note_end(pid);
        if is_mine {
            self.schedule.note_end(now);
        }
        is_mine
    }

    /// Sends the child a signal, if it runs.
    pub fn send(&self, signal: Signal) {
        self.program.send(signal);
    }

    /// Asks the child to end and does not start it again.
    pub fn stop(&mut self) {
        self.schedule.stop();
        self.program.terminate();
    }
}
