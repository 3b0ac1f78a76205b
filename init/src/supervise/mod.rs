//! The supervisor, PID 1 after the boot: it reaps processes, restarts daemons, answers requests, feeds the watchdog and
//! shuts the machine down in order.

pub(crate) mod daemons;
pub(crate) mod shutdown;
mod watchdog;

use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::plan::shutdown::{self as stages, Elapsed, Stage, Survivors};
use daemons::{Daemons, log_file};
use host::console;
use host::control::{self, Power, Request};
use host::paths::SHUTDOWN_TIMEOUT;
use host::process::{self, Signals};
use watchdog::Watchdog;

const LOG_LIMIT_INTERVAL: Duration = Duration::from_secs(600);
/// The interval of checks during a shutdown; before a shutdown, PID 1 sleeps until an event.
const SHUTDOWN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A shutdown that has begun.
#[derive(Debug)]
struct ShutdownState {
    power: Power,
    /// The time limit of the whole shutdown.
    limit: Duration,
    stage: Stage,
    began: Instant,
    stage_began: Instant,
    /// The process of `ros stop-containers`.
    stopper: Option<Pid>,
}

/// The state of PID 1 after boot.
#[derive(Debug)]
pub(crate) struct Supervisor {
    daemons: Daemons,
    signals: Signals,
    listener: UnixListener,
    watchdog: Option<Watchdog>,
    scheduled: Option<(Instant, Power)>,
    shutdown_state: Option<ShutdownState>,
    logs_limited: Instant,
}

impl Supervisor {
    /// Takes over the signals and opens the control socket.
    pub(crate) fn new(daemons: Daemons) -> Result<Self> {
        // SIGINT is Ctrl-Alt-Del once the kernel is told not to reset by itself.
        let signals = Signals::watch(&[
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGPWR,
            Signal::SIGHUP,
        ])?;
        nix::sys::reboot::set_cad_enabled(false).context("taking over Ctrl-Alt-Del")?;
        Ok(Self {
            daemons,
            signals,
            listener: control::listen()?,
            watchdog: Watchdog::open(),
            scheduled: None,
            shutdown_state: None,
            logs_limited: Instant::now(),
        })
    }

    /// Runs until the machine goes down; an error means that the kernel refused to power down.
    pub(crate) fn run(&mut self) -> Result<()> {
        loop {
            let now = Instant::now();
            if self.shutdown_state.is_none() {
                for child in self.daemons.children() {
                    child.start_if_due(now);
                }
            }
            self.wait(now);
            self.read_signals();
            self.take_request();
            self.reap();
            self.start_scheduled();
            self.advance_shutdown()?;
            let now = Instant::now();
            if let Some(watchdog) = &mut self.watchdog {
                watchdog.feed_if_due(now);
            }
            if now.duration_since(self.logs_limited) > LOG_LIMIT_INTERVAL {
                self.logs_limited = now;
                self.daemons
                    .children()
                    .iter()
                    .for_each(|child| child.limit_log());
            }
        }
    }

    fn wait(&mut self, now: Instant) {
        let mut until = now + LOG_LIMIT_INTERVAL;
        if self.watchdog.is_some() {
            until = until.min(now + watchdog::FEED_INTERVAL);
        }
        if let Some((at, _)) = self.scheduled {
            until = until.min(at);
        }
        if self.shutdown_state.is_some() {
            until = until.min(now + SHUTDOWN_POLL_INTERVAL);
        } else {
            for due in self
                .daemons
                .children()
                .iter()
                .filter_map(|child| child.due())
            {
                until = until.min(due);
            }
        }
        // The timeout is rounded up: a timeout of 0 in the last millisecond would make a busy loop.
        let millis = until.saturating_duration_since(now).as_millis() + 1;
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let mut watched = [
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        // An interrupted or failed poll counts as a timeout: the loop checks everything anyway.
        let _ = poll(&mut watched, timeout);
    }

    fn read_signals(&mut self) {
        for signal in self.signals.take() {
            match signal {
                Signal::SIGINT => self.begin_shutdown(Power::Reboot, "Ctrl-Alt-Del"),
                Signal::SIGTERM => self.begin_shutdown(Power::Reboot, "SIGTERM"),
                Signal::SIGPWR => self.begin_shutdown(Power::Off, "a power failure"),
                _ => {}
            }
        }
    }

    fn take_request(&mut self) {
        let mut taken = None;
        let pending = self.scheduled.is_some();
        control::serve_request(&self.listener, |request| {
            taken = Some(request);
            match request {
                Request::Down { power, after } if after.is_zero() => {
                    format!("{} begins", power.name())
                }
                Request::Down { power, after } => {
                    format!("{} in {} min", power.name(), after.as_secs() / 60)
                }
                Request::Cancel if pending => "scheduled shutdown cancelled".to_owned(),
                Request::Cancel => "no shutdown was scheduled".to_owned(),
            }
        });
        match taken {
            Some(Request::Down { power, after }) if after.is_zero() => {
                self.begin_shutdown(power, "a request")
            }
            Some(Request::Down { power, after }) => {
                console::print_line(&format!(
                    "ros: {} in {} min",
                    power.name(),
                    after.as_secs() / 60
                ));
                self.scheduled = Some((Instant::now() + after, power));
            }
            Some(Request::Cancel) if self.scheduled.take().is_some() => {
                console::print_line("ros: scheduled shutdown cancelled");
            }
            Some(Request::Cancel) | None => {}
        }
    }

    fn reap(&mut self) {
        let now = Instant::now();
        let down = self.shutdown_state.is_some();
        let ended = process::reap();
        if !ended.is_empty() && self.watchdog.is_none() {
            // The process that has just ended may have loaded the watchdog's driver.
            self.watchdog = Watchdog::open();
        }
        for (pid, how) in ended {
            if let Some(shutdown_state) = &mut self.shutdown_state
                && shutdown_state.stopper == Some(pid)
            {
                shutdown_state.stopper = None;
            }
            for child in self.daemons.children() {
                if child.note_end(pid, now) {
                    if down {
                        child.cancel_restart();
                    } else {
                        console::kmsg(
                            console::Level::Warning,
                            &format!("{} ended ({how}); starting it again", child.name),
                        );
                    }
                }
            }
        }
    }

    fn start_scheduled(&mut self) {
        if let Some((at, power)) = self.scheduled
            && at <= Instant::now()
        {
            self.scheduled = None;
            self.begin_shutdown(power, "the scheduled time");
        }
    }

    fn begin_shutdown(&mut self, power: Power, why: &str) {
        if self.shutdown_state.is_some() {
            return;
        }
        console::print_line(&format!("ros: {} ({why})", power.name()));
        let now = Instant::now();
        self.daemons.sysinit.stop();
        self.shutdown_state = Some(ShutdownState {
            power,
            limit: stages::time_limit(
                &std::fs::read_to_string(SHUTDOWN_TIMEOUT).unwrap_or_default(),
            ),
            stage: Stage::Sysinit,
            began: now,
            stage_began: now,
            stopper: None,
        });
    }

    fn advance_shutdown(&mut self) -> Result<()> {
        let Some(shutdown_state) = &mut self.shutdown_state else {
            return Ok(());
        };
        let now = Instant::now();
        let alive = Survivors {
            sysinit: self.daemons.sysinit.is_running(),
            stopper: shutdown_state.stopper.is_some(),
            daemons: self.daemons.dockerd.is_running() || self.daemons.containerd.is_running(),
            strays: shutdown_state.stage == Stage::Strays && !shutdown::strays().is_empty(),
        };
        let elapsed = Elapsed {
            in_stage: now.duration_since(shutdown_state.stage_began),
            total: now.duration_since(shutdown_state.began),
        };
        let next = stages::next_stage(shutdown_state.stage, alive, elapsed, shutdown_state.limit);
        if next == shutdown_state.stage {
            // containerd has nothing left to do once dockerd has gone.
            if next == Stage::Daemons && !self.daemons.dockerd.is_running() {
                self.daemons.containerd.stop();
            }
            return Ok(());
        }
        log::info!(
            "shutdown stage {} took {:.2} s",
            shutdown_state.stage,
            elapsed.in_stage.as_secs_f64()
        );
        shutdown_state.stage = next;
        shutdown_state.stage_began = now;
        match next {
            Stage::Sysinit => {}
            Stage::Containers => shutdown_state.stopper = stop_containers(shutdown_state.limit),
            Stage::Daemons => self.daemons.dockerd.stop(),
            Stage::Strays => {
                let _ = kill(Pid::from_raw(-1), Signal::SIGTERM);
            }
            Stage::PowerDown => {
                for program in shutdown::strays() {
                    log::info!("{program} did not end by itself");
                }
                return shutdown::power_down(shutdown_state.power);
            }
        }
        Ok(())
    }
}

fn stop_containers(limit: Duration) -> Option<Pid> {
    let seconds = limit.saturating_sub(stages::RESERVE).as_secs().max(1);
    let argv = ["/usr/bin/ros", "stop-containers", &seconds.to_string()].map(str::to_owned);
    match process::spawn(&argv, &log_file("shutdown")) {
        Ok(pid) => Some(pid),
        Err(error) => {
            console::print_line(&format!("ros: {error:#}"));
            None
        }
    }
}
