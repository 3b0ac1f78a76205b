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

/// Why the daemons may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// There is nothing to wait for.
    Free,
    CommandsEnded,
    /// A command of the user needs Docker itself.
    ClientConnected,
    LimitReached,
}

impl StartGate {
    /// A gate that is open unless there is early work.
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let is_done = are_commands_done() || is_open();
        Self::closed_if(!is_done && has_early_work(config), now)
    }

    fn closed_if(has_work: bool, now: Instant) -> Self {
        Self {
            until: has_work.then(|| now + LIMIT),
        }
    }

    /// The time of the next look, if the gate is closed.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.until.map(|until| (now + POLL_INTERVAL).min(until))
    }

    /// Looks whether the daemons may start now.
    pub(super) fn look(&self, sockets: &Sockets, now: Instant) -> Option<Opening> {
        self.decide(are_commands_done(), sockets.has_client(), now)
    }

    fn decide(&self, are_commands_done: bool, has_client: bool, now: Instant) -> Option<Opening> {
        match self.until {
            None => Some(Opening::Free),
            Some(_) if are_commands_done => Some(Opening::CommandsEnded),
            Some(_) if has_client => Some(Opening::ClientConnected),
            Some(until) => (now >= until).then_some(Opening::LimitReached),
        }
    }
}

impl Opening {
    /// The line of the log.
    pub(super) fn log_line(self) -> Option<String> {
        match self {
            Self::Free => None,
            Self::CommandsEnded => Some("the user's boot commands have ended".to_owned()),
            Self::ClientConnected => Some("a client has connected".to_owned()),
            Self::LimitReached => Some(format!(
                "the user's boot commands take longer than {} s",
                LIMIT.as_secs()
            )),
        }
    }

    /// What a user is to be told: Docker begins anew in an empty folder if its disk is mounted later. The image's own
    /// folder is on the state disk.
    pub(super) fn problem(self, data_root: &str, own_data_root: &str) -> Option<String> {
        let is_in_danger = self == Self::LimitReached && data_root != own_data_root;
        is_in_danger.then(|| {
            format!(
                "User Docker starts though the boot commands have not ended after {} s. If they mount or format the disk of \
                 {data_root}, its data there is hidden: `sudo system-docker restart docker` when they have ended",
                LIMIT.as_secs()
            )
        })
    }
}

fn are_commands_done() -> bool {
    Path::new(USER_DOCKER_RUN).join(COMMANDS_DONE).exists()
}

#[cfg(test)]
mod tests {
    use super::{LIMIT, Opening, StartGate};
    use std::time::{Duration, Instant};

    #[test]
    fn the_daemons_wait_for_commands_a_client_or_the_limit() {
        let start = Instant::now();
        let just_before = LIMIT - Duration::from_millis(1);
        for (has_work, (is_done, has_client), after, expected) in [
            (false, (false, false), Duration::ZERO, Some(Opening::Free)),
            (true, (false, false), Duration::ZERO, None),
            (
                true,
                (true, false),
                Duration::ZERO,
                Some(Opening::CommandsEnded),
            ),
            (
                true,
                (false, true),
                Duration::ZERO,
                Some(Opening::ClientConnected),
            ),
            (
                true,
                (true, true),
                just_before,
                Some(Opening::CommandsEnded),
            ),
            (true, (false, false), just_before, None),
            (true, (false, false), LIMIT, Some(Opening::LimitReached)),
            (true, (true, false), LIMIT, Some(Opening::CommandsEnded)),
        ] {
            let gate = StartGate::closed_if(has_work, start);
            let found = gate.decide(is_done, has_client, start + after);
            assert_eq!(
                found, expected,
                "{has_work} {is_done} {has_client} {after:?}"
            );
        }
    }

    #[test]
    fn the_last_look_is_at_the_limit() {
        let start = Instant::now();
        let gate = StartGate::closed_if(true, start);
        assert_eq!(LIMIT, Duration::from_secs(30), "the manual says 30 s");
        assert!(gate.wake_at(start) < Some(start + LIMIT));
        let almost = start + LIMIT - Duration::from_millis(1);
        assert_eq!(gate.wake_at(almost), Some(start + LIMIT));
        assert_eq!(StartGate::closed_if(false, start).wake_at(start), None);
    }

    #[test]
    fn a_user_with_data_elsewhere_is_told_of_the_limit() {
        for (opening, data_root, is_told) in [
            (Opening::LimitReached, "/mnt/data/docker", true),
            (Opening::LimitReached, "/var/lib/docker", false),
            (Opening::CommandsEnded, "/mnt/data/docker", false),
            (Opening::ClientConnected, "/mnt/data/docker", false),
        ] {
            let problem = opening.problem(data_root, "/var/lib/docker");
            assert_eq!(problem.is_some(), is_told, "{opening:?} {data_root}");
            let line = opening.log_line().unwrap_or_default();
            assert_eq!(
                line.contains("30 s"),
                opening == Opening::LimitReached,
                "{line}"
            );
        }
        assert_eq!(Opening::Free.log_line(), None);
    }
}
