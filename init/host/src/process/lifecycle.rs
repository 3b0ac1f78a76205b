//! The start and the end of a process. [`reap`] is the only function of PID 1 that waits for a process.

use std::ffi::{CStr, CString};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::process::deadline;

const KERNEL_LOG: &str = "/dev/kmsg";
const ENVIRONMENT: [&CStr; 2] = [
    c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    c"HOME=/root",
];

/// The first descriptor that a program inherits beside its input and output, as in systemd's protocol of sockets.
const FIRST_INHERITED: RawFd = 3;
/// Higher than the descriptors of this process.
const BETWEEN: RawFd = 500;

/// Starts a program with its output appended to `log`; [`reap`] reports its end.
pub fn spawn(argv: &[String], log: &Path) -> Result<Pid> {
    spawn_with(argv, log, &[])
}

/// Like [`spawn`]. The program has the descriptors `inherited` as its descriptors 3 and so on.
fn spawn_with(argv: &[String], log: &Path, inherited: &[RawFd]) -> Result<Pid> {
    let program = argv.first().context("starting nothing")?;
    let program = CString::new(program.as_str()).context("a NUL in the command line")?;
    let output = open_log_or_replacement(log)?;
    let input = File::open("/dev/null").context("opening /dev/null")?;
    let start = || -> Result<Pid> {
        let argv = argv
            .iter()
            .map(|word| CString::new(word.as_str()))
            .collect::<Result<Vec<CString>, _>>()
            .context("a NUL in the command line")?;
        let mut files = PosixSpawnFileActions::init()?;
        files.add_dup2(input.as_raw_fd(), 0)?;
        files.add_dup2(output.as_raw_fd(), 1)?;
        files.add_dup2(output.as_raw_fd(), 2)?;
        // A descriptor may have a number here that another is to have there.
        for (descriptor, between) in inherited.iter().zip(BETWEEN..) {
            files.add_dup2(*descriptor, between)?;
        }
        for ((_, between), target) in inherited.iter().zip(BETWEEN..).zip(FIRST_INHERITED..) {
            files.add_dup2(between, target)?;
            files.add_close(between)?;
        }
        Ok(posix_spawnp(
            &program,
            &files,
            &unblocked_signals()?,
            &argv,
            &ENVIRONMENT,
        )?)
    };
    start().with_context(|| format!("starting {}", program.to_string_lossy()))
}

/// Like [`spawn`], and an error if it takes longer than `limit`: the program or the log may be on a disk that does not
/// answer. A program that starts later is killed.
pub fn spawn_within(limit: Duration, argv: &[String], log: &Path) -> Result<Pid> {
    spawn_with_within(limit, argv, log, &[])
}

/// Like [`spawn_within`], with descriptors for the program.
pub(super) fn spawn_with_within(
    limit: Duration,
    argv: &[String],
    log: &Path,
    inherited: &[RawFd],
) -> Result<Pid> {
    let (argv, log, inherited) = (argv.to_vec(), log.to_owned(), inherited.to_vec());
    let program = argv.first().cloned().unwrap_or_default();
    let late = |started: Result<Pid>| {
        if let Ok(pid) = started {
            let _ = kill(pid, Signal::SIGKILL);
        }
    };
    deadline::within(limit, move || spawn_with(&argv, &log, &inherited), late)
        .with_context(|| format!("starting {program}: the disk does not answer"))?
}

/// This process blocks the signals that it reads from a descriptor. A child would inherit the mask, and no process of
/// any container would receive SIGTERM.
fn unblocked_signals() -> Result<PosixSpawnAttr> {
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
    )?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&SigSet::all())?;
    Ok(attributes)
}

/// The pid of a process that was just started. Its handle can be dropped: [`reap`] waits for every process.
pub fn pid_of(child: &std::process::Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

/// A program matters more than its log, which a full or damaged disk cannot take: the kernel's log takes it then.
fn open_log_or_replacement(log: &Path) -> Result<File> {
    open_log(log)
        .or_else(|error| {
            log::warn!("opening {}: {error}", log.display());
            OpenOptions::new().write(true).open(KERNEL_LOG)
        })
        .or_else(|_| OpenOptions::new().write(true).open("/dev/null"))
        .context("opening /dev/null")
}

fn open_log(log: &Path) -> io::Result<File> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // What programs print may be secret.
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(log)
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Code(i32),
    Signal(Signal),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "{signal}"),
        }
    }
}

/// Collects every process that has ended, orphans included.
pub fn reap() -> Vec<(Pid, End)> {
    let mut ended = Vec::new();
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => ended.push((pid, End::Code(code))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => ended.push((pid, End::Signal(signal))),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return ended,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => {
                log::warn!("waiting for processes: {error}");
                return ended;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_program_starts_though_its_log_cannot_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let mark = folder.path().join("mark");
        let argv = ["touch".to_owned(), mark.display().to_string()];
        let pid = super::spawn(&argv, &file.join("x.log")).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
        assert!(mark.exists());
    }

    #[test]
    fn a_log_is_roots_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("new/x.log");
        let pid = super::spawn(&["true".to_owned()], &log).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
        let mode = std::fs::metadata(&log).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    use std::time::Duration;

    #[test]
    fn a_disk_that_does_not_answer_blocks_no_supervisor() {
        let folder = tempfile::tempdir().unwrap();
        // Opening a pipe without a reader waits for ever.
        let log = folder.path().join("log");
        nix::unistd::mkfifo(&log, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let argv = ["true".to_owned()];
        let error = super::spawn_within(Duration::from_millis(50), &argv, &log).unwrap_err();
        assert_eq!(error.to_string(), "starting true: the disk does not answer");
        let log = folder.path().join("file");
        let pid = super::spawn_within(Duration::from_secs(3600), &argv, &log).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
    }

    #[test]
    fn children_hear_the_signals_that_their_parent_blocks() {
        let signals = crate::process::Signals::watch(&[]).unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let argv = ["grep", "SigBlk", "/proc/self/status"].map(str::to_owned);
        let pid = super::spawn(&argv, log.path()).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        drop(signals);
        assert_eq!(text.trim(), "SigBlk:\t0000000000000000");
    }
}
