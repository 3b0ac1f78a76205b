//! The signals of a supervisor, read from a descriptor.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

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
        // The timeout is rounded up: a timeout of 0 in the last millisecond would make a busy loop.
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
