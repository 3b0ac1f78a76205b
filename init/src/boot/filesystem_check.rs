//! Checks the filesystem of the state disk before its mount, with programs as `plan::state` lists them.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::{Signal, kill};

use crate::plan::state::{self, CheckResult, StateMount};
use host::block;
use host::console;
use host::process::{self, End};

/// What e2fsck says. It is in memory: the disk is not mounted yet.
const FILESYSTEM_LOG: &str = "/run/ros/e2fsck.log";
/// A check of a large disk takes minutes, and a disk that no longer answers takes for ever.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1800);
/// The limit for the start: the program is on the boot medium.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// A check that takes longer is named on the consoles.
const SAID_AFTER: Duration = Duration::from_secs(5);

/// Checks the filesystem and returns what was wrong.
pub(crate) fn check(planned: &StateMount) -> Option<String> {
    let mut result = CheckResult::Clean;
    let checks = state::checks(planned);
    let had_error = !checks.is_empty() && block::has_recorded_error(Path::new(&planned.detail));
    for argv in checks {
        result = match run_to_end(&argv) {
            Ok(code) => CheckResult::of_exit_code(code, had_error),
            Err(error) => {
                log::warn!("{error:#}");
                CheckResult::Unfinished
            }
        };
        // A disk that keeps a check waiting would keep the next one waiting too.
        if result != CheckResult::Broken {
            break;
        }
    }
    result.problem(&planned.detail, FILESYSTEM_LOG)
}

/// Runs a program to its end and returns its exit code; `None` if it was killed, as after [`CHECK_TIMEOUT`].
fn run_to_end(argv: &[String]) -> Result<Option<i32>> {
    let pid = process::spawn_within(START_TIMEOUT, argv, Path::new(FILESYSTEM_LOG))?;
    let started = Instant::now();
    let mut is_said = false;
    loop {
        for (ended, how) in process::reap() {
            if ended == pid {
                return Ok(match how {
                    End::Code(code) => Some(code),
                    End::Signal(_) => None,
                });
            }
        }
        if !is_said && started.elapsed() > SAID_AFTER {
            is_said = true;
            console::print_line(&format!("ros: waiting for {}", argv.join(" ")));
        }
        if started.elapsed() > CHECK_TIMEOUT {
            let _ = kill(pid, Signal::SIGKILL);
            return Ok(None);
        }
        sleep(POLL_INTERVAL);
    }
}
