//! Checks the filesystem of the state disk before its mount, with programs as `plan::state` lists them.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::{Signal, kill};

use crate::plan::state::{self, CheckResult, StateMount};
use host::console;
use host::process::{self, End};

/// What e2fsck says. It is in memory: the disk is not mounted yet.
const FILESYSTEM_LOG: &str = "/run/ros/e2fsck.log";
/// A check of a large disk takes minutes, and a disk that no longer answers takes for ever.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1800);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// A check that takes longer is named on the consoles.
const SAID_AFTER: Duration = Duration::from_secs(5);

/// Checks the filesystem and returns what was wrong.
pub(crate) fn check(planned: &StateMount) -> Option<String> {
    let mut result = CheckResult::Clean;
    for argv in state::checks(planned) {
        match run_to_end(&argv) {
            Ok(code) => result = CheckResult::of_exit_code(code),
            Err(error) => {
                log::warn!("{error:#}");
                return None;
            }
        }
        if result != CheckResult::Broken {
            break;
        }
    }
    let disk = &planned.detail;
    match result {
        CheckResult::Clean => None,
        CheckResult::Mended => Some(format!(
            "{disk} had errors, which e2fsck has mended (see {FILESYSTEM_LOG}); files may be in lost+found"
        )),
        CheckResult::Broken => Some(format!(
            "{disk} has errors that e2fsck cannot mend (see {FILESYSTEM_LOG}): save what is on it"
        )),
    }
}

/// Runs a program to its end and returns its exit code; `None` if it was killed, as after [`CHECK_TIMEOUT`].
fn run_to_end(argv: &[String]) -> Result<Option<i32>> {
    let pid = process::spawn(argv, Path::new(FILESYSTEM_LOG))?;
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
