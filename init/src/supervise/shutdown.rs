//! The end of the machine: the last processes, unmounting and `reboot(2)`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::background::Task;
use host::console;
use host::control::Power;
use host::perform::unmount;
use host::process;

/// The time limit for syncing and unmounting; the machine goes down after it in any case.
const UNMOUNT_TIMEOUT: Duration = Duration::from_secs(8);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The programs of all processes but PID 1, from their command lines.
pub(crate) fn strays() -> Vec<String> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            if name == "1" || !name.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            // Kernel threads have an empty command line, and so has a process that is just ending.
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let program = line.split(|byte| *byte == 0).next()?;
            (!program.is_empty()).then(|| String::from_utf8_lossy(program).into_owned())
        })
        .collect()
}

/// Kills the remaining processes, unmounts and powers down. Returns only if the kernel refuses.
pub(crate) fn power_down(power: Power) -> Result<()> {
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    process::reap();
    unmount_in_child();
    console::print_line(&format!("ros: {} now", power.name()));
    let mode = match power {
        Power::Off => RebootMode::RB_POWER_OFF,
        Power::Reboot => RebootMode::RB_AUTOBOOT,
        Power::Halt => RebootMode::RB_HALT_SYSTEM,
    };
    reboot(mode)
        .map(|_| ())
        .context("asking the kernel to go down")
}

fn unmount_in_child() {
    let Ok(pid) = Task::Unmount.start() else {
        return unmount::unmount_all();
    };
    let started = Instant::now();
    while started.elapsed() < UNMOUNT_TIMEOUT {
        if process::reap().iter().any(|(ended, _)| *ended == pid) {
            return;
        }
        sleep(POLL_INTERVAL);
    }
    console::print_line("ros: a filesystem does not answer; going down without unmounting it");
}
