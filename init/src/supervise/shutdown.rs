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
use host::proc::process_stat;
use host::process::{self, deadline};

/// The time limit for syncing and unmounting; the machine goes down after it in any case.
const UNMOUNT_TIMEOUT: Duration = Duration::from_secs(8);
/// The limit for the end of killed processes. A process that waits for a disk ends only with its wait.
const KILL_TIMEOUT: Duration = Duration::from_secs(2);
const NO_ANSWER: &str = "ros: a filesystem does not answer; going down without unmounting it";
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// containerd's process beside each container. It ignores SIGTERM, and is of no use once the container's processes have
/// ended.
const SHIM: &str = "containerd-shim";

/// The names of the processes that may end by SIGTERM.
pub(crate) fn strays() -> Vec<String> {
    let mut names = processes();
    names.retain(|name| name != SHIM);
    names
}

/// The names of all processes but PID 1 and kernel threads.
fn processes() -> Vec<String> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            if name == "1" || !name.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            let text = std::fs::read(entry.path().join("stat")).ok()?;
            let stat = process_stat::parse(&String::from_utf8_lossy(&text))?;
            (!stat.is_kernel_thread && !stat.is_zombie).then_some(stat.name)
        })
        .collect()
}

/// Kills the remaining processes, unmounts and powers down. Returns only if the kernel refuses.
pub(crate) fn power_down(power: Power) -> Result<()> {
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
    wait_for_end_of_all();
    unmount_in_child();
    console::print_line(&format!("ros: {} now", power.name()));
    let mode = match power {
        Power::Off => RebootMode::RB_POWER_OFF,
        Power::Reboot => RebootMode::RB_AUTOBOOT,
        Power::Kexec => RebootMode::RB_KEXEC,
        Power::Halt => RebootMode::RB_HALT_SYSTEM,
    };
    let mut went = reboot(mode);
    if power == Power::Kexec {
        console::print_line(
            "ros: the kernel has no other kernel to start; rebooting by the firmware",
        );
        went = reboot(RebootMode::RB_AUTOBOOT);
    }
    went.map(|_| ()).context("asking the kernel to go down")
}

/// Waits for the end of all killed processes: each may hold a filesystem, or a namespace with its mount.
fn wait_for_end_of_all() {
    let started = Instant::now();
    loop {
        process::reap();
        if processes().is_empty() || started.elapsed() >= KILL_TIMEOUT {
            return;
        }
        sleep(POLL_INTERVAL);
    }
}

fn unmount_in_child() {
    let Some(pid) = Task::Unmount.start_or_warn() else {
        // The medium with this program may be gone.
        if deadline::within(UNMOUNT_TIMEOUT, unmount::unmount_all, drop).is_none() {
            console::print_line(NO_ANSWER);
        }
        return;
    };
    let started = Instant::now();
    while started.elapsed() < UNMOUNT_TIMEOUT {
        if process::reap().iter().any(|(ended, _)| *ended == pid) {
            return;
        }
        sleep(POLL_INTERVAL);
    }
    console::print_line(NO_ANSWER);
}
