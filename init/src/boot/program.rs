//! Runs a program to its end in a boot phase.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::{Signal, kill};

use host::console;
use host::process::{self, End};

/// The limit for the start: the program is on the boot medium.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// A program that takes longer is named on the consoles.
const SAID_AFTER: Duration = Duration::from_secs(5);

/// Runs a program, whose output goes to the file `log`, and returns its exit code; `None` if it was killed, as after
/// `limit`.
pub(super) fn run_to_end(argv: &[String], log: &Path, limit: Duration) -> Result<Option<i32>> {
    let pid = process::spawn_within(START_TIMEOUT, argv, log)?;
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
        if started.elapsed() > limit {
            let _ = kill(pid, Signal::SIGKILL);
            return Ok(None);
        }
        sleep(POLL_INTERVAL);
    }
}
