//! PID 1 for good: reap, restart what dies, answer requests, feed the watchdog, go down in order.

pub(crate) mod shutdown;
mod watchdog;

use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use host::console;
use host::control::{self, Power, Request};
use host::paths::SHUTDOWN_TIMEOUT;
use host::process::{self, Child, Signals};
use shutdown::{Alive, Stage};
use watchdog::Watchdog;

const BOUND_LOGS_EVERY: Duration = Duration::from_secs(600);
/// While going down, stages are looked at this often; otherwise PID 1 sleeps until something happens.
const SHUTDOWN_TICK: Duration = Duration::from_millis(20);

/// The children by their part in a shutdown.
#[derive(Debug)]
pub(crate) struct Daemons {
    pub(crate) containerd: Child,
    pub(crate) dockerd: Child,
    pub(crate) engine: Child,
}

impl Daemons {
    fn all(&mut self) -> [&mut Child; 3] {
        [&mut self.containerd, &mut self.dockerd, &mut self.engine]
    }
}

#[derive(Debug)]
struct GoingDown {
    power: Power,
    /// Bounds the whole.
    limit: Duration,
    stage: Stage,
    began: Instant,
    stage_began: Instant,
    stopper: Option<Pid>,
}

/// The state of PID 1 after boot.
#[derive(Debug)]
pub(crate) struct Supervisor {
    kept: Daemons,
    signals: Signals,
    listener: UnixListener,
    watchdog: Option<Watchdog>,
    scheduled: Option<(Instant, Power)>,
    going_down: Option<GoingDown>,
    logs_bounded: Instant,
}

impl Supervisor {
    /// Takes over the signals and opens the control socket.
    pub(crate) fn new(kept: Daemons) -> Result<Self> {
        // SIGINT is Ctrl-Alt-Del once the kernel is told not to reset by itself.
        let signals = Signals::watch(&[
            Signal::SIGINT,
            Signal::SIGTERM,
            Signal::SIGPWR,
            Signal::SIGHUP,
        ])?;
        nix::sys::reboot::set_cad_enabled(false).context("taking over Ctrl-Alt-Del")?;
        Ok(Self {
            kept,
            signals,
            listener: control::listen()?,
            watchdog: Watchdog::open(),
            scheduled: None,
            going_down: None,
            logs_bounded: Instant::now(),
        })
    }

    /// Runs until the machine goes down; an error means that the kernel refused to.
    pub(crate) fn run(&mut self) -> Result<()> {
        loop {
            let now = Instant::now();
            if self.going_down.is_none() {
                for child in self.kept.all() {
                    child.start_if_due(now);
                }
            }
            self.wait(now);
            self.read_signals();
            self.take_request();
            self.reap();
            self.start_scheduled();
            self.advance()?;
            let now = Instant::now();
            if let Some(watchdog) = &mut self.watchdog {
                watchdog.feed_if_due(now);
            }
            if now.duration_since(self.logs_bounded) > BOUND_LOGS_EVERY {
                self.logs_bounded = now;
                self.kept.all().iter().for_each(|child| child.bound_log());
            }
        }
    }

    fn wait(&mut self, now: Instant) {
        let mut until = now + BOUND_LOGS_EVERY;
        if self.watchdog.is_some() {
            until = until.min(now + watchdog::FEED_EVERY);
        }
        if let Some((at, _)) = self.scheduled {
            until = until.min(at);
        }
        if self.going_down.is_some() {
            until = until.min(now + SHUTDOWN_TICK);
        } else {
            for due in self.kept.all().iter().filter_map(|child| child.due()) {
                until = until.min(due);
            }
        }
        // Rounded up, or the last millisecond would be spent in a busy loop.
        let millis = until.saturating_duration_since(now).as_millis() + 1;
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let mut watched = [
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        // An interrupted or failed poll is the same as a timeout: everything is looked at anyway.
        let _ = poll(&mut watched, timeout);
    }

    fn read_signals(&mut self) {
        for signal in self.signals.take() {
            match signal {
                Signal::SIGINT => self.go_down(Power::Reboot, "Ctrl-Alt-Del"),
                Signal::SIGTERM => self.go_down(Power::Reboot, "SIGTERM"),
                Signal::SIGPWR => self.go_down(Power::Off, "a power failure"),
                _ => {}
            }
        }
    }

    fn take_request(&mut self) {
        let mut taken = None;
        let pending = self.scheduled.is_some();
        control::serve_one(&self.listener, |request| {
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
                self.go_down(power, "a request")
            }
            Some(Request::Down { power, after }) => {
                console::line(&format!(
                    "ros: {} in {} min",
                    power.name(),
                    after.as_secs() / 60
                ));
                self.scheduled = Some((Instant::now() + after, power));
            }
            Some(Request::Cancel) if self.scheduled.take().is_some() => {
                console::line("ros: scheduled shutdown cancelled");
            }
            Some(Request::Cancel) | None => {}
        }
    }

    fn reap(&mut self) {
        let now = Instant::now();
        let down = self.going_down.is_some();
        let ended = process::reap();
        if !ended.is_empty() && self.watchdog.is_none() {
            // Its driver may have been loaded by what has just ended.
            self.watchdog = Watchdog::open();
        }
        for (pid, how) in ended {
            if let Some(going_down) = &mut self.going_down
                && going_down.stopper == Some(pid)
            {
                going_down.stopper = None;
            }
            for child in self.kept.all() {
                if child.reaped(pid, now) {
                    if down {
                        child.stay_down();
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
            self.go_down(power, "the scheduled time");
        }
    }

    fn go_down(&mut self, power: Power, why: &str) {
        if self.going_down.is_some() {
            return;
        }
        console::line(&format!("ros: {} ({why})", power.name()));
        let now = Instant::now();
        self.kept.engine.stop();
        self.going_down = Some(GoingDown {
            power,
            limit: shutdown::limit(&std::fs::read_to_string(SHUTDOWN_TIMEOUT).unwrap_or_default()),
            stage: Stage::Engine,
            began: now,
            stage_began: now,
            stopper: None,
        });
    }

    fn advance(&mut self) -> Result<()> {
        let Some(going_down) = &mut self.going_down else {
            return Ok(());
        };
        let now = Instant::now();
        let alive = Alive {
            engine: self.kept.engine.is_running(),
            stopper: going_down.stopper.is_some(),
            daemons: self.kept.dockerd.is_running() || self.kept.containerd.is_running(),
            strays: going_down.stage == Stage::Strays && !shutdown::strays().is_empty(),
        };
        let in_stage = now.duration_since(going_down.stage_began);
        let next = shutdown::next(
            going_down.stage,
            alive,
            in_stage,
            now.duration_since(going_down.began),
            going_down.limit,
        );
        if next == going_down.stage {
            // containerd has nothing left to do once dockerd has gone.
            if next == Stage::Daemons && !self.kept.dockerd.is_running() {
                self.kept.containerd.stop();
            }
            return Ok(());
        }
        log::info!(
            "shutdown stage {:?} took {:.2} s",
            going_down.stage,
            in_stage.as_secs_f64()
        );
        going_down.stage = next;
        going_down.stage_began = now;
        match next {
            Stage::Engine => {}
            Stage::Containers => going_down.stopper = stop_containers(going_down.limit),
            Stage::Daemons => self.kept.dockerd.stop(),
            Stage::Strays => {
                let _ = kill(Pid::from_raw(-1), Signal::SIGTERM);
            }
            Stage::Last => {
                for program in shutdown::strays() {
                    log::info!("{program} did not end by itself");
                }
                return shutdown::last(going_down.power);
            }
        }
        Ok(())
    }
}

fn stop_containers(limit: Duration) -> Option<Pid> {
    let seconds = limit.saturating_sub(shutdown::RESERVE).as_secs().max(1);
    let argv = ["/usr/bin/ros", "stop-containers", &seconds.to_string()].map(str::to_owned);
    match process::spawn(&argv, &log_file("shutdown")) {
        Ok(pid) => Some(pid),
        Err(error) => {
            console::line(&format!("ros: {error:#}"));
            None
        }
    }
}

/// Where the output of PID 1's children goes.
pub(crate) fn log_file(name: &str) -> PathBuf {
    Path::new("/var/log").join(format!("{name}.log"))
}
