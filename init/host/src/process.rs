//! Processes that a supervisor keeps running. [`reap`] is the only function of PID 1 that waits for a process.

use std::ffi::{CStr, CString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawnp};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// First pause before a restart; doubled with every early death.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A child that ran this long is healthy: its next death starts at the first pause again.
const HEALTHY: Duration = Duration::from_secs(10);
/// The size in bytes at which a child's log is copied to `<log>.1` and emptied.
const LOG_LIMIT: u64 = 25 << 20;
const ENVIRONMENT: [&CStr; 2] = [
    c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    c"HOME=/root",
];

/// A process that is started again whenever it ends.
#[derive(Debug)]
pub struct Child {
    /// Short name for messages.
    pub name: String,
    argv: Vec<String>,
    log: PathBuf,
    pid: Option<Pid>,
    started: Instant,
    pause: Duration,
    due: Option<Instant>,
}

impl Child {
    /// A child that is started at the next [`Child::start_if_due`].
    pub fn new(name: &str, argv: Vec<String>, log: &Path) -> Self {
        let now = Instant::now();
        Self {
            name: name.to_owned(),
            argv,
            log: log.to_owned(),
            pid: None,
            started: now,
            pause: FIRST_PAUSE,
            due: Some(now),
        }
    }

    /// The time of the next start; `None` while the child runs or after it was stopped.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether the child runs.
    pub fn is_running(&self) -> bool {
        self.pid.is_some()
    }

    /// Starts the child if its time has come. After an error it is tried again later.
    pub fn start_if_due(&mut self, now: Instant) {
        if self.pid.is_some() || self.due.is_none_or(|due| due > now) {
            return;
        }
        match spawn(&self.argv, &self.log) {
            Ok(pid) => {
                log::info!("{} started as process {pid}", self.name);
                self.pid = Some(pid);
                self.started = now;
                self.due = None;
            }
            Err(error) => {
                log::warn!("starting {}: {error:#}", self.name);
                self.schedule_restart(now);
            }
        }
    }

    /// Notes that process `pid` has ended. Returns whether it was this child.
    pub fn note_end(&mut self, pid: Pid, now: Instant) -> bool {
        if self.pid != Some(pid) {
            return false;
        }
        self.pid = None;
        if now.duration_since(self.started) >= HEALTHY {
            self.pause = FIRST_PAUSE;
        }
        self.schedule_restart(now);
        true
    }

    /// Asks the child to end and does not start it again.
    pub fn stop(&mut self) {
        self.due = None;
        if let Some(pid) = self.pid {
            let _ = kill(pid, Signal::SIGTERM);
        }
    }

    /// Cancels the restart that [`Child::note_end`] scheduled, because the machine goes down.
    pub fn cancel_restart(&mut self) {
        self.due = None;
    }

    /// Keeps the log below its limit. The old text is copied to `<log>.1` and the file is emptied in place, because the
    /// child has it open.
    pub fn limit_log(&self) {
        limit_log_file(&self.log);
    }

    fn schedule_restart(&mut self, now: Instant) {
        self.due = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// Starts a program with its output appended to `log`; [`reap`] reports its end.
pub fn spawn(argv: &[String], log: &Path) -> Result<Pid> {
    let program = argv.first().context("starting nothing")?;
    let program = CString::new(program.as_str()).context("a NUL in the command line")?;
    limit_log_file(log);
    let output = open_log(log).with_context(|| format!("opening {}", log.display()))?;
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

/// This process blocks the signals that it reads from a descriptor. A child would inherit the mask, and every process of
/// every container would ignore SIGTERM.
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

fn open_log(log: &Path) -> io::Result<File> {
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(log)
}

fn limit_log_file(log: &Path) {
    if std::fs::metadata(log).is_ok_and(|meta| meta.len() > LOG_LIMIT) {
        let mut old = log.as_os_str().to_owned();
        old.push(".1");
        if std::fs::copy(log, old).is_ok()
            && let Ok(file) = OpenOptions::new().write(true).open(log)
        {
            let _ = file.set_len(0);
        }
    }
}

/// Sleeps until a child ends or a signal comes: for supervisors.
#[derive(Debug)]
pub struct Signals {
    descriptor: SignalFd,
}

impl Signals {
    /// Takes SIGCHLD and `others` over for this process. Must be called before the first child starts.
    pub fn watch(others: &[Signal]) -> Result<Self> {
        let mut mask: SigSet = others.iter().copied().collect();
        mask.add(Signal::SIGCHLD);
        mask.thread_block().context("blocking signals")?;
        let descriptor =
            SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
                .context("opening the signal descriptor")?;
        Ok(Self { descriptor })
    }

    /// Returns after a child's end or another signal, or at `until`; returns the other signals.
    pub fn wait(&mut self, until: Option<Instant>) -> Vec<Signal> {
        // Rounded up, or the last millisecond would be spent in a busy loop.
        let timeout = until.map_or(PollTimeout::NONE, |until| {
            let millis = until.saturating_duration_since(Instant::now()).as_millis() + 1;
            PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
        });
        let mut watched = [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)];
        // An interrupted poll counts as a timeout: the caller checks everything anyway.
        let _ = poll(&mut watched, timeout);
        self.take()
    }

    /// The signals that have come since the last call, without SIGCHLD.
    pub fn take(&mut self) -> Vec<Signal> {
        let mut came = Vec::new();
        while let Ok(Some(info)) = self.descriptor.read_signal() {
            let signal = i32::try_from(info.ssi_signo)
                .ok()
                .and_then(|number| Signal::try_from(number).ok());
            came.extend(signal.filter(|signal| *signal != Signal::SIGCHLD));
        }
        came
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Collects every process that has ended, orphans included.
pub fn reap() -> Vec<(Pid, String)> {
    let mut ended = Vec::new();
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => ended.push((pid, format!("exit code {code}"))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => ended.push((pid, signal.to_string())),
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
    use super::{Child, FIRST_PAUSE, HEALTHY, LONGEST_PAUSE};
    use nix::unistd::Pid;
    use std::path::Path;
    use std::time::Instant;

    #[test]
    fn children_hear_the_signals_that_their_parent_blocks() {
        let signals = super::Signals::watch(&[]).unwrap();
        let log = std::env::temp_dir().join(format!("children-{}", std::process::id()));
        let argv = ["grep", "SigBlk", "/proc/self/status"].map(str::to_owned);
        let pid = super::spawn(&argv, &log).unwrap();
        nix::sys::wait::waitpid(pid, None).unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_file(&log).unwrap();
        drop(signals);
        assert_eq!(text.trim(), "SigBlk:\t0000000000000000");
    }

    #[test]
    fn pauses_grow_and_are_forgotten_after_health() {
        let mut child = Child::new("x", vec!["/bin/true".into()], Path::new("/dev/null"));
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            child.pid = Some(Pid::from_raw(1234));
            child.started = now;
            assert!(!child.note_end(Pid::from_raw(1), now));
            assert!(child.note_end(Pid::from_raw(1234), now));
            pauses.push(child.due().unwrap() - now);
        }
        assert_eq!(pauses[0], FIRST_PAUSE);
        assert_eq!(pauses[1], FIRST_PAUSE * 2);
        assert_eq!(pauses[7], LONGEST_PAUSE);
        child.pid = Some(Pid::from_raw(1234));
        child.started = now;
        now += HEALTHY;
        child.note_end(Pid::from_raw(1234), now);
        assert_eq!(child.due().unwrap() - now, FIRST_PAUSE);
    }
}
