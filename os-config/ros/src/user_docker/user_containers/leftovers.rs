//! The containers of a dockerd that has died. The next dockerd stops what still runs, and counts that as a user's wish:
//! containers with the policies `unless-stopped` and `on-failure` would stay down. A container that has ended before is
//! started again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use host::perform;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Docker's own grace period of a container.
const GRACE: Duration = Duration::from_secs(10);
/// The limit for the end of killed processes. A process that waits for a disk does not end.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// The containers below a cgroup, which have been asked to end.
#[derive(Debug)]
pub(in crate::user_docker) struct LeftoverContainers {
    cgroup: PathBuf,
    asked: Instant,
    is_killed: bool,
}

impl LeftoverContainers {
    /// Asks the containers below `cgroup` to end.
    pub(in crate::user_docker) fn stop(cgroup: &Path, now: Instant) -> Self {
        for pid in processes(cgroup) {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            if is_first_process(&status) {
                // It may have ended meanwhile.
                let _ = kill(pid, Signal::SIGTERM);
            }
        }
        Self {
            cgroup: cgroup.to_owned(),
            asked: now,
            is_killed: false,
        }
    }

    /// Whether all have ended, or do not end; kills those that take too long.
    pub(in crate::user_docker) fn are_gone(&mut self, now: Instant) -> bool {
        let events = fs::read_to_string(self.cgroup.join("cgroup.events")).unwrap_or_default();
        if !is_populated(&events) {
            return true;
        }
        let waited = now.saturating_duration_since(self.asked);
        if waited >= GRACE && !self.is_killed {
            self.is_killed = true;
            if let Err(error) = perform::kill_cgroup(&self.cgroup) {
                eprintln!("ros user-docker: {error:#}");
            }
        }
        waited >= GRACE + END_TIMEOUT
    }
}

/// The processes of a cgroup and of the cgroups below it.
fn processes(cgroup: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let own = text.lines().filter_map(|line| line.parse().ok());
    let mut found: Vec<Pid> = own.map(Pid::from_raw).collect();
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(processes(&entry.path()));
        }
    }
    found
}

/// Whether a process is the first in its container, by its `/proc/PID/status`. A container without PIDs of its own has
/// no first process; each counts.
fn is_first_process(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let numbers: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
    numbers.len() == 1 || numbers.last() == Some(&"1")
}

fn is_populated(events: &str) -> bool {
    events.lines().any(|line| line == "populated 1")
}

#[cfg(test)]
mod tests {
    use super::{is_first_process, is_populated};

    #[test]
    fn the_first_process_of_a_container_is_asked() {
        for (numbers, expected) in [
            ("812\t1", true),
            ("813\t2", false),
            // A container in a container.
            ("900\t40\t1", true),
            // `--pid=host`.
            ("77", true),
            ("", false),
        ] {
            let status = format!("Name:\tx\nNSpid:\t{numbers}\nNSpgid:\t1\n");
            assert_eq!(is_first_process(&status), expected, "{numbers}");
        }
        assert!(is_populated("populated 1\nfrozen 0\n"));
        assert!(!is_populated("populated 0\nfrozen 0\n"));
        assert!(!is_populated(""));
    }
}
