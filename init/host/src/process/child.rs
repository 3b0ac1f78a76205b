//! A process that a supervisor keeps running.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::lifecycle::{limit_log_file, spawn};

/// First pause before a restart; doubled with every early death.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A child that ran this long is healthy: its next death starts at the first pause again.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// A process that is started again whenever it ends.
#[derive(Debug)]
pub struct Child {
    /// Short name for messages.
    pub name: String,
    argv: Vec<String>,
    log: PathBuf,
    pid: Option<Pid>,
    started: Instant,
    pause: Duration,
    due: Option<Instant>,
}

impl Child {
    /// A child that is started at the next [`Child::start_if_due`].
    pub fn new(name: &str, argv: Vec<String>, log: &Path) -> Self {
        let now = Instant::now();
        Self {
            name: name.to_owned(),
            argv,
            log: log.to_owned(),
            pid: None,
            started: now,
            pause: FIRST_PAUSE,
            due: Some(now),
        }
    }

    /// The time of the next start; `None` while the child runs or after it was stopped.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether the child runs.
    pub fn is_running(&self) -> bool {
        self.pid.is_some()
    }

    /// Starts the child if its time has come. After an error it is tried again later.
    pub fn start_if_due(&mut self, now: Instant) {
        if self.pid.is_some() || self.due.is_none_or(|due| due > now) {
            return;
        }
        match spawn(&self.argv, &self.log) {
            Ok(pid) => {
                log::info!("{} started as process {pid}", self.name);
                self.pid = Some(pid);
                self.started = now;
                self.due = None;
            }
            Err(error) => {
                log::warn!("starting {}: {error:#}", self.name);
                self.schedule_restart(now);
            }
        }
    }

    /// Notes that process `pid` has ended. Returns whether it was this child.
    pub fn note_end(&mut self, pid: Pid, now: Instant) -> bool {
        if self.pid != Some(pid) {
            return false;
        }
        self.pid = None;
        if now.duration_since(self.started) >= HEALTHY_AFTER {
            self.pause = FIRST_PAUSE;
        }
        self.schedule_restart(now);
        true
    }

    /// Asks the child to end and does not start it again.
    pub fn stop(&mut self) {
        self.due = None;
        if let Some(pid) = self.pid {
            let _ = kill(pid, Signal::SIGTERM);
        }
    }

    /// Cancels the restart that [`Child::note_end`] scheduled, because the machine goes down.
    pub fn cancel_restart(&mut self) {
        self.due = None;
    }

    /// Keeps the log below its limit. The old text is copied to `<log>.1` and the file is emptied in place, because the
    /// child has it open.
    pub fn limit_log(&self) {
        limit_log_file(&self.log);
    }

    fn schedule_restart(&mut self, now: Instant) {
        self.due = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::{Child, FIRST_PAUSE, HEALTHY_AFTER, LONGEST_PAUSE};
    use nix::unistd::Pid;
    use std::path::Path;
    use std::time::Instant;

    #[test]
    fn pauses_grow_and_are_forgotten_after_health() {
        let mut child = Child::new("x", vec!["/bin/true".into()], Path::new("/dev/null"));
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            child.pid = Some(Pid::from_raw(1234));
            child.started = now;
            assert!(!child.note_end(Pid::from_raw(1), now));
            assert!(child.note_end(Pid::from_raw(1234), now));
            pauses.push(child.due().unwrap() - now);
        }
        assert_eq!(pauses[0], FIRST_PAUSE);
        assert_eq!(pauses[1], FIRST_PAUSE * 2);
        assert_eq!(pauses[7], LONGEST_PAUSE);
        child.pid = Some(Pid::from_raw(1234));
        child.started = now;
        now += HEALTHY_AFTER;
        child.note_end(Pid::from_raw(1234), now);
        assert_eq!(child.due().unwrap() - now, FIRST_PAUSE);
    }
}
