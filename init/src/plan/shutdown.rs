//! The stages of a shutdown and their order. Pure: running processes and times in, the next stage out.

use std::fmt;
use std::time::Duration;

/// The limit while none was read.
pub(crate) const DEFAULT_LIMIT: Duration = Duration::from_secs(60);
/// A shorter `rancher.shutdown_timeout` is raised to this, as in RancherOS.
const SHORTEST_LIMIT: Duration = Duration::from_secs(5);
/// The part of the configured time that is reserved for the stages after the containers.
pub(crate) const RESERVE: Duration = Duration::from_secs(5);
/// How long `ros sysinit` may take to let go of the containers.
const SYSINIT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the daemons may take to write their state.
const DAEMONS_TIMEOUT: Duration = Duration::from_secs(8);
/// How long stray processes get between SIGTERM and SIGKILL.
const STRAYS_TIMEOUT: Duration = Duration::from_millis(1500);

/// The stages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// `ros sysinit` ends first, or it would start stopped containers again.
    Sysinit,
    /// `ros stop-containers`: the user's, then the system's.
    Containers,
    /// System Docker's dockerd, then containerd.
    Daemons,
    /// SIGTERM to the remaining processes.
    Strays,
    /// Unmounting and power-down.
    PowerDown,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The kernel log calls the end of `ros sysinit` Engine and the power-down Last; users know these words.
        f.write_str(match self {
            Self::Sysinit => "Engine",
            Self::Containers => "Containers",
            Self::Daemons => "Daemons",
            Self::Strays => "Strays",
            Self::PowerDown => "Last",
        })
    }
}

/// The parts of the machine that are still running.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Survivors {
    pub(crate) sysinit: bool,
    pub(crate) stopper: bool,
    pub(crate) daemons: bool,
    pub(crate) strays: bool,
}

/// How long a shutdown may take, from the text of `host::paths::SHUTDOWN_TIMEOUT`.
pub(crate) fn time_limit(text: &str) -> Duration {
    text.trim()
        .parse()
        .map_or(DEFAULT_LIMIT, Duration::from_secs)
        .max(SHORTEST_LIMIT)
}

/// How long the shutdown has taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elapsed {
    pub(crate) in_stage: Duration,
    pub(crate) total: Duration,
}

/// The stage that follows `stage`.
///
/// `limit` is `rancher.shutdown_timeout`: past it only the last stage is left.
pub(crate) fn next_stage(
    stage: Stage,
    alive: Survivors,
    elapsed: Elapsed,
    limit: Duration,
) -> Stage {
    if elapsed.total >= limit {
        return Stage::PowerDown;
    }
    let (waiting, timeout, following) = match stage {
        Stage::Sysinit => (alive.sysinit, SYSINIT_TIMEOUT, Stage::Containers),
        Stage::Containers => (alive.stopper, limit.saturating_sub(RESERVE), Stage::Daemons),
        Stage::Daemons => (alive.daemons, DAEMONS_TIMEOUT, Stage::Strays),
        Stage::Strays => (alive.strays, STRAYS_TIMEOUT, Stage::PowerDown),
        Stage::PowerDown => return Stage::PowerDown,
    };
    if waiting && elapsed.in_stage < timeout {
        stage
    } else {
        following
    }
}

#[cfg(test)]
mod tests {
    use super::{Elapsed, Stage, Survivors, next_stage};
    use std::time::Duration;

    #[test]
    fn the_limit_is_read_from_a_file() {
        for (text, expected) in [("30\n", 30), ("", 60), ("soon", 60), ("1", 5)] {
            assert_eq!(super::time_limit(text).as_secs(), expected, "{text:?}");
        }
    }

    #[test]
    fn stages_follow_each_other_and_the_limit_cuts_them_short() {
        let all = Survivors {
            sysinit: true,
            stopper: true,
            daemons: true,
            strays: true,
        };
        let none = Survivors {
            sysinit: false,
            stopper: false,
            daemons: false,
            strays: false,
        };
        let secs = Duration::from_secs;
        for (stage, alive, in_stage, total, expected) in [
            (Stage::Sysinit, all, 1, 1, Stage::Sysinit),
            (Stage::Sysinit, none, 0, 0, Stage::Containers),
            (Stage::Sysinit, all, 3, 3, Stage::Containers),
            (Stage::Containers, all, 54, 57, Stage::Containers),
            (Stage::Containers, all, 55, 58, Stage::Daemons),
            (Stage::Containers, none, 1, 2, Stage::Daemons),
            (Stage::Daemons, all, 7, 20, Stage::Daemons),
            (Stage::Daemons, all, 8, 20, Stage::Strays),
            (Stage::Daemons, none, 0, 20, Stage::Strays),
            (Stage::Strays, all, 1, 20, Stage::Strays),
            (Stage::Strays, all, 2, 20, Stage::PowerDown),
            (Stage::Strays, none, 0, 20, Stage::PowerDown),
            (Stage::Strays, all, 1, 60, Stage::PowerDown),
            (Stage::Sysinit, all, 0, 60, Stage::PowerDown),
            (Stage::Containers, all, 1, 61, Stage::PowerDown),
            (Stage::PowerDown, none, 0, 0, Stage::PowerDown),
        ] {
            let elapsed = Elapsed {
                in_stage: secs(in_stage),
                total: secs(total),
            };
            assert_eq!(
                next_stage(stage, alive, elapsed, secs(60)),
                expected,
                "{stage:?} after {in_stage} s, {total} s in all"
            );
        }
    }
}
