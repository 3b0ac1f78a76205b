//! Probes of User Docker's daemons. A daemon that hangs is ended, and its keeper starts it again.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use host::paths::{DOCKER_SOCKET, USER_CONTAINERD_SOCKET};
use host::process::Child;
use host::process::probe::{self, Server};
use host::restart::{Liveness, PROBE_INTERVAL, Verdict};
use nix::sys::signal::Signal;

use crate::user_docker::databases::CONTAINERD;

/// The pause between two looks at a probe that runs.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The answers of the two daemons.
#[derive(Debug)]
pub(super) struct Health {
    containerd: Liveness,
    dockerd: Liveness,
    next_probe: Instant,
    running: Option<Receiver<[bool; 2]>>,
}

impl Health {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            containerd: Liveness::default(),
            dockerd: Liveness::default(),
            next_probe: now + PROBE_INTERVAL,
            running: None,
        }
    }

    /// The time of the next [`Self::watch`].
    pub(super) fn wake_at(&self, now: Instant) -> Instant {
        match self.running {
            Some(_) => now + POLL_INTERVAL,
            None => self.next_probe,
        }
    }

    /// Notes that a daemon has ended: the next one begins without misses.
    pub(super) fn note_end(&mut self, name: &str) {
        match name {
            CONTAINERD => self.containerd = Liveness::default(),
            _ => self.dockerd = Liveness::default(),
        }
    }

    /// Starts a probe that is due, and ends the daemons that have missed too many.
    pub(super) fn watch(&mut self, containerd: &Child, dockerd: &Child, now: Instant) {
        if let Some(running) = &self.running {
            match running.try_recv() {
                Ok(answers) => {
                    self.running = None;
                    self.next_probe = now + PROBE_INTERVAL;
                    self.judge(answers, containerd, dockerd);
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => self.running = None,
            }
        } else if now >= self.next_probe {
            self.next_probe = now + PROBE_INTERVAL;
            let (sender, receiver) = channel();
            let probe = move || {
                let _ = sender.send(probe::answers([
                    (Server::Containerd, USER_CONTAINERD_SOCKET),
                    (Server::Dockerd, DOCKER_SOCKET),
                ]));
            };
            // Without a thread there is no verdict.
            if thread::Builder::new().spawn(probe).is_ok() {
                self.running = Some(receiver);
            }
        }
    }

    fn judge(&mut self, answers: [bool; 2], containerd: &Child, dockerd: &Child) {
        let daemons = [
            (&mut self.containerd, containerd),
            (&mut self.dockerd, dockerd),
        ];
        for ((liveness, child), is_answer) in daemons.into_iter().zip(answers) {
            if !child.is_running() {
                continue;
            }
            let signal = match liveness.note(is_answer) {
                None => continue,
                Some(Verdict::Abort) => Signal::SIGABRT,
                Some(Verdict::Kill) => Signal::SIGKILL,
            };
            eprintln!(
                "ros user-docker: {} does not answer; it is replaced",
                child.name()
            );
            child.send(signal);
        }
    }
}
