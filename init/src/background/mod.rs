//! Tasks of PID 1 that may block, or that another CPU can do meanwhile. Each task runs in a process of its own: the
//! same program with the task's name as its argument.

mod data_root;
pub(crate) mod engine_probe;
pub(crate) mod medium_probe;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::Result;
use nix::unistd::Pid;

use host::console;
use host::facts;
use host::modules::Modules;
use host::paths;
use host::perform::unmount;
use host::process::{self, deadline};

use crate::rescue::{self, Occasion, Outcome};

/// The programs whose loading takes the boot longest, biggest first.
const READ_AHEAD: [&str; 2] = ["/usr/sbin/dockerd", "/usr/bin/containerd"];
/// Drivers that are needed before udev starts: for acpid the power button, for the network container its links, for
/// the kernel its randomness, for PID 1 the watchdog. udev loads the other drivers.
const EARLY_DRIVERS: [&str; 4] = [
    "kernel/drivers/acpi/button",
    "kernel/drivers/net/",
    "kernel/drivers/char/hw_random/",
    "kernel/drivers/watchdog/",
];

/// The exit code of a rescue console at which nobody was.
pub(crate) const IDLE: u8 = 3;
/// The limit for the start of a task: this program may be on a medium that does not answer.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// A task; the program's first argument names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Waits for randomness, because the kernel begins to gather it only for a process that waits. Without a generator
    /// in the machine the kernel takes a second or two, and System Docker would be the first to wait.
    GatherEntropy,
    /// Reads containerd and dockerd into memory while PID 1 still mounts and configures.
    ReadAhead,
    /// Loads drivers; a driver can take seconds to probe its device, or for ever.
    LoadDrivers,
    /// Syncs and unmounts; a disk that no longer answers can block `sync` for ever.
    Unmount,
    /// Asks System Docker's daemons for an answer.
    Probe,
    /// Brings the logs of PID 1's daemons below their limit.
    LimitLogs,
    /// Asks the drive with the OS image for its medium.
    ProbeMedium,
    /// Sets System Docker's data aside and installs the image store anew.
    SetDataAside,
    /// Installs System Docker's image store in memory.
    InstallInMemory,
    /// Opens the rescue console beside a System Docker that does not start.
    Rescue,
}

impl Task {
    const ALL: [Self; 10] = [
        Self::GatherEntropy,
        Self::ReadAhead,
        Self::LoadDrivers,
        Self::Unmount,
        Self::Probe,
        Self::LimitLogs,
        Self::ProbeMedium,
        Self::SetDataAside,
        Self::InstallInMemory,
        Self::Rescue,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::GatherEntropy => "gather-entropy",
            Self::ReadAhead => "read-ahead",
            Self::LoadDrivers => "load-drivers",
            Self::Unmount => "unmount",
            Self::Probe => "probe",
            Self::LimitLogs => "limit-logs",
            Self::ProbeMedium => "probe-medium",
            Self::SetDataAside => "set-data-aside",
            Self::InstallInMemory => "install-in-memory",
            Self::Rescue => "rescue",
        }
    }

    /// The task that the program's first argument names.
    pub(crate) fn parse(argument: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == argument)
    }

    /// Starts the task; [`process::reap`] reports its end. A failure is only logged.
    pub(crate) fn start_or_warn(self) -> Option<Pid> {
        let start = move || {
            Command::new("/proc/self/exe")
                .arg(self.name())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .map(|child| process::pid_of(&child))
        };
        // A task that starts later does no harm.
        let started = deadline::within(START_TIMEOUT, start, drop)
            .unwrap_or_else(|| Err(std::io::Error::other("the disk does not answer")));
        started
            .inspect_err(|error| log::warn!("starting {}: {error}", self.name()))
            .ok()
    }

    /// Does the task, in the process that was started for it.
    pub(crate) fn run(self) -> ExitCode {
        match self {
            Self::GatherEntropy => {
                let mut byte = [0];
                let _ = File::open("/dev/random").and_then(|mut file| file.read_exact(&mut byte));
            }
            Self::ReadAhead => read_ahead(),
            Self::LoadDrivers => {
                let root = Path::new("/");
                Modules::read(root, &facts::kernel_release()).load_for_hardware(root, |path| {
                    EARLY_DRIVERS.iter().any(|folder| path.starts_with(folder))
                });
            }
            Self::Unmount => unmount::unmount_all(),
            Self::Probe => return engine_probe::run().into(),
            Self::LimitLogs => process::limit_once(&paths::SYSTEM_LOGS),
            Self::ProbeMedium => return medium_probe::run().into(),
            Self::SetDataAside => return exit_code(data_root::set_aside()),
            Self::InstallInMemory => return exit_code(data_root::install_in_memory()),
            Self::Rescue => {
                let outcome = rescue::open_console(
                    "ros: System Docker does not start; /var/log/system-docker.log says why",
                    "System Docker is tried again",
                    Occasion::Failure,
                );
                if outcome == Outcome::Idle {
                    return IDLE.into();
                }
            }
        }
        ExitCode::SUCCESS
    }
}

/// The output of a task goes nowhere, so an error is shown on the consoles.
fn exit_code(result: Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    console::print_line(&format!("ros: {error:#}"));
    ExitCode::FAILURE
}

fn read_ahead() {
    let mut buffer = vec![0; 1 << 20];
    for path in READ_AHEAD {
        let Ok(mut file) = File::open(path) else {
            continue;
        };
        while file.read(&mut buffer).is_ok_and(|count| count > 0) {}
    }
}

#[cfg(test)]
mod tests {
    use super::Task;

    #[test]
    fn every_task_is_found_by_its_name() {
        for task in Task::ALL {
            assert_eq!(Task::parse(task.name()), Some(task));
        }
        assert_eq!(Task::parse(""), None);
        assert_eq!(Task::parse("stage2"), None);
    }
}
