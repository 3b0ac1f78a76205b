//! The supervisor, PID 1 after the boot: it reaps processes, restarts daemons, answers requests, feeds the watchdog and
//! shuts the machine down in order. [`crate::plan::supervision`] decides; this module hands it the events and takes its
//! actions.

pub(crate) mod daemons;
pub(crate) mod medium;
pub(crate) mod shutdown;
mod watchdog;

use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::background::{IDLE, Task, engine_probe};
use crate::plan::engine_health::Remedy;
use crate::plan::shutdown::{Stage, time_limit};
use crate::plan::supervision::{Action, Daemon, Event, ShutdownSignal, Supervision};
use daemons::Daemons;
use host::console;
use host::control;
use host::paths::{SHUTDOWN_LOG, SHUTDOWN_TIMEOUT, SYSINIT_BEAT};
use host::problems::{self, ProblemRecord};
use host::process::{self, End, Signals};
use medium::Medium;
use watchdog::Watchdog;

/// The limit for the start of a program, in a shutdown.
const START_TIMEOUT: Duration = Duration::from_secs(2);

/// The state of PID 1 after boot, and its processes and descriptors.
#[derive(Debug)]
pub(crate) struct Supervisor {
    state: Supervision,
    daemons: Daemons,
    /// The process of `ros stop-containers`.
    stopper: Option<Pid>,
    signals: Signals,
    listener: UnixListener,
    watchdog: Option<Watchdog>,
    medium: Option<Medium>,
    /// The process of a probe of System Docker.
    probe: Option<Pid>,
    /// The process of a remedy for System Docker.
    remedy: Option<Pid>,
    /// The process that brings logs below their limit.
    log_limiter: Option<Pid>,
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
            state: Supervision::new(Instant::now()).with_own_settings(daemons.has_own_settings()),
            daemons,
            stopper: None,
            signals,
            listener: control::listen()?,
            watchdog: None,
            medium: Medium::watch(),
            probe: None,
            remedy: None,
            log_limiter: None,
        })
    }

    /// Runs until the machine goes down; an error means that the kernel refused to power down.
    pub(crate) fn run(&mut self) -> Result<()> {
        self.open_watchdog()?;
        loop {
            let has_strays =
                self.state.stage() == Some(Stage::Strays) && !shutdown::strays().is_empty();
            self.handle(Event::Tick { has_strays })?;
            self.wait();
            self.read_signals()?;
            self.take_request()?;
            self.look_at_medium()?;
            self.reap()?;
        }
    }

    /// Lets the state machine decide about an event, and takes its actions.
    fn handle(&mut self, event: Event) -> Result<()> {
        let (state, actions) = self.state.next(event, Instant::now());
        self.state = state;
        actions.into_iter().try_for_each(|action| self.take(action))
    }

    fn take(&mut self, action: Action) -> Result<()> {
        match action {
            Action::Start(daemon) => {
                let is_running = self.daemons.program(daemon).start();
                self.handle(if is_running {
                    Event::Started(daemon)
                } else {
                    Event::StartFailed(daemon)
                })?;
            }
            Action::Terminate(daemon) => self.daemons.program(daemon).terminate(),
            Action::Abort(daemon) => self.daemons.program(daemon).send(Signal::SIGABRT),
            Action::Kill(daemon) => self.daemons.program(daemon).send(Signal::SIGKILL),
            Action::Probe => {
                if let Some(medium) = &mut self.medium {
                    medium.start_probe();
                }
                self.probe = Task::Probe.start_or_warn();
                if self.probe.is_none() {
                    self.handle(Event::ProbeEnded(None))?;
                }
            }
            Action::ReadBeat => {
                let found = std::fs::metadata(SYSINIT_BEAT);
                let beat = found.and_then(|found| found.modified()).ok();
                let beat = beat.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                self.handle(Event::SysinitBeat(beat))?;
            }
            Action::LimitLogs if self.log_limiter.is_none() => {
                self.log_limiter = Task::LimitLogs.start_or_warn();
            }
            // The disk of the logs does not answer.
            Action::LimitLogs => {}
            Action::KillProbe => {
                if let Some(pid) = self.probe {
                    let _ = kill(pid, Signal::SIGKILL);
                }
            }
            Action::Remedy(remedy) => {
                self.remedy = task_of(remedy).start_or_warn();
                if self.remedy.is_none() {
                    self.end_remedy(remedy == Remedy::Rescue)?;
                }
            }
            Action::UseImageSettings => {
                if let Err(error) = self.daemons.use_image_settings() {
                    log::warn!("{error:#}");
                }
            }
            Action::Report(id, text) => {
                problems::report(&ProblemRecord::error(id, "init", text));
            }
            Action::Announce(text) => console::print_line(&text),
            Action::Log(level, text) => log::log!(level, "{text}"),
            Action::ReadTimeLimit => {
                let text = std::fs::read_to_string(SHUTDOWN_TIMEOUT).unwrap_or_default();
                self.handle(Event::TimeLimit(time_limit(&text)))?;
            }
            Action::StopContainers { seconds } => {
                self.stopper = stop_containers(seconds);
                if self.stopper.is_some() {
                    self.handle(Event::StopperStarted)?;
                }
            }
            Action::TerminateStrays => {
                let _ = kill(Pid::from_raw(-1), Signal::SIGTERM);
            }
            Action::PowerDown(power) => {
                for program in shutdown::strays() {
                    log::info!("{program} did not end by itself");
                }
                shutdown::power_down(power)?;
            }
            Action::FeedWatchdog => {
                if let Some(watchdog) = &mut self.watchdog {
                    watchdog.feed();
                }
            }
            Action::DisarmWatchdog => {
                if let Some(watchdog) = self.watchdog.take() {
                    watchdog.disarm();
                }
            }
        }
        Ok(())
    }

    fn wait(&mut self) {
        let now = Instant::now();
        let until = self.state.wake_at(now);
        // The timeout is rounded up: a timeout of 0 in the last millisecond would make a busy loop.
        let millis = until.saturating_duration_since(now).as_millis() + 1;
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let watched = [self.signals.as_fd(), self.listener.as_fd()].into_iter();
        let mut watched: Vec<PollFd<'_>> = watched
            .chain(self.medium.as_ref().map(AsFd::as_fd))
            .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
            .collect();
        // An interrupted or failed poll counts as a timeout: the loop checks everything anyway.
        let _ = poll(&mut watched, timeout);
    }

    fn read_signals(&mut self) -> Result<()> {
        for signal in self.signals.take() {
            let signal = match signal {
                Signal::SIGINT => ShutdownSignal::CtrlAltDel,
                Signal::SIGTERM => ShutdownSignal::Terminate,
                Signal::SIGPWR => ShutdownSignal::PowerFailure,
                _ => continue,
            };
            self.handle(Event::Signal(signal))?;
        }
        Ok(())
    }

    fn take_request(&mut self) -> Result<()> {
        let mut taken = None;
        control::serve_request(&self.listener, |request| {
            taken = Some(request);
            self.state.reply_to(request)
        });
        match taken {
            Some(request) => self.handle(Event::Request(request)),
            None => Ok(()),
        }
    }

    fn look_at_medium(&mut self) -> Result<()> {
        let gone = self.medium.as_ref().and_then(Medium::take_gone);
        let gone = gone.map(|node| node.display().to_string());
        self.note_medium(gone)
    }

    fn note_medium(&mut self, gone: Option<String>) -> Result<()> {
        gone.map_or(Ok(()), |node| self.handle(Event::MediumGone(node)))
    }

    fn reap(&mut self) -> Result<()> {
        let ended = process::reap();
        if !ended.is_empty() && !self.state.has_watchdog() {
            // The process that has just ended may have loaded the watchdog's driver.
            self.open_watchdog()?;
        }
        for (pid, end) in ended {
            if self.stopper == Some(pid) {
                self.stopper = None;
                self.handle(Event::StopperEnded)?;
            }
            self.log_limiter.take_if(|limiter| *limiter == pid);
            if self.probe == Some(pid) {
                self.probe = None;
                self.handle(Event::ProbeEnded(engine_probe::read(end)))?;
            }
            let medium = self.medium.as_mut();
            let gone = medium.and_then(|medium| medium.note_end(pid, end));
            let gone = gone.map(|node| node.display().to_string());
            self.note_medium(gone)?;
            if self.remedy == Some(pid) {
                self.remedy = None;
                let is_idle = end == End::Code(IDLE.into());
                self.end_remedy(is_idle || end == End::Code(0))?;
                if is_idle {
                    self.handle(Event::RescueIdle)?;
                }
            }
            for daemon in Daemon::ALL {
                if self.daemons.program(daemon).note_end(pid) {
                    let how = end.to_string();
                    self.handle(Event::Ended { daemon, how })?;
                }
            }
        }
        Ok(())
    }

    fn end_remedy(&mut self, is_done: bool) -> Result<()> {
        self.handle(Event::RemedyEnded { is_done })
    }

    fn open_watchdog(&mut self) -> Result<()> {
        self.watchdog = Watchdog::open();
        match &self.watchdog {
            Some(watchdog) => self.handle(Event::WatchdogOpened(watchdog.timeout())),
            None => Ok(()),
        }
    }
}

fn task_of(remedy: Remedy) -> Task {
    match remedy {
        Remedy::SetAside => Task::SetDataAside,
        Remedy::InMemory => Task::InstallInMemory,
        Remedy::Rescue => Task::Rescue,
    }
}

fn stop_containers(seconds: u64) -> Option<Pid> {
    let argv = ["/usr/bin/ros", "stop-containers", &seconds.to_string()].map(str::to_owned);
    match process::spawn_within(START_TIMEOUT, &argv, Path::new(SHUTDOWN_LOG)) {
        Ok(pid) => Some(pid),
        Err(error) => {
            console::print_line(&format!("ros: {error:#}"));
            None
        }
    }
}
