//! The decisions of the supervisor, as a state machine. Pure: an event and its time in, the next state and the actions
//! out.

use std::time::{Duration, Instant};

use crate::plan::engine_health::{Answers, EngineHealth, Part, Remedy};
use crate::plan::shutdown::{self as stages, Elapsed, Stage, Survivors};
use crate::plan::sysinit_health::SysinitHealth;
use crate::plan::watchdog::Feeding;
use host::control::{Power, Request};
use host::restart::{Schedule, Verdict};

/// The longest sleep without an event.
const LONGEST_SLEEP: Duration = Duration::from_secs(600);
/// The interval of checks during a shutdown; before a shutdown, PID 1 sleeps until an event.
const SHUTDOWN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A daemon that PID 1 keeps running; a shutdown stops each in its own stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Daemon {
    Containerd,
    Dockerd,
    Sysinit,
}

impl From<Part> for Daemon {
    fn from(part: Part) -> Self {
        match part {
            Part::Containerd => Self::Containerd,
            Part::Dockerd => Self::Dockerd,
        }
    }
}

impl Daemon {
    /// The daemons, in the order of their start.
    pub(crate) const ALL: [Self; 3] = [Self::Containerd, Self::Dockerd, Self::Sysinit];

    /// The daemon as a part of System Docker.
    fn part(self) -> Option<Part> {
        match self {
            Self::Containerd => Some(Part::Containerd),
            Self::Dockerd => Some(Part::Dockerd),
            Self::Sysinit => None,
        }
    }

    /// The short name for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Dockerd => "dockerd",
            Self::Sysinit => "ros sysinit",
        }
    }
}

/// A signal to PID 1 that asks for a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShutdownSignal {
    CtrlAltDel,
    Terminate,
    PowerFailure,
}

/// An event that the supervisor decides about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Time has passed. `has_strays` says in [`Stage::Strays`] whether other processes than PID 1 are left.
    Tick {
        has_strays: bool,
    },
    /// A request over the control socket.
    Request(Request),
    Signal(ShutdownSignal),
    Started(Daemon),
    StartFailed(Daemon),
    /// A daemon's process has ended, with an exit code or by a signal.
    Ended {
        daemon: Daemon,
        how: String,
    },
    /// `ros stop-containers` runs.
    StopperStarted,
    StopperEnded,
    /// The time limit of the shutdown that has begun.
    TimeLimit(Duration),
    /// A watchdog was opened, which feeds it too; its timeout, if it can tell.
    WatchdogOpened(Option<Duration>),
    /// The time of the last sign of life of `ros sysinit`, since 1970.
    SysinitBeat(Option<Duration>),
    /// A probe of System Docker has ended; without answers it was killed or could not be started.
    ProbeEnded(Option<Answers>),
    /// The medium with the OS image is gone; its node was this.
    MediumGone(String),
    /// Nobody was at the rescue console.
    RescueIdle,
    /// A remedy for System Docker has ended. A rescue console that was left is done too.
    RemedyEnded {
        is_done: bool,
    },
}

/// An action of the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Starts a daemon; [`Event::Started`] or [`Event::StartFailed`] follows.
    Start(Daemon),
    /// Sends SIGTERM to a daemon.
    Terminate(Daemon),
    /// Sends SIGABRT to a daemon that does not answer: it prints what it was doing and ends.
    Abort(Daemon),
    /// Sends SIGKILL to a daemon.
    Kill(Daemon),
    /// Starts a probe of System Docker's daemons; [`Event::ProbeEnded`] follows. The drive with the OS image is probed
    /// too; [`Event::MediumGone`] follows if its medium is gone.
    Probe,
    /// Looks for a sign of life of `ros sysinit`; [`Event::SysinitBeat`] follows.
    ReadBeat,
    /// Brings the daemons' logs below their limit, which `ros sysinit` does while it runs.
    LimitLogs,
    /// Kills a probe that hangs.
    KillProbe,
    /// Starts a remedy for System Docker; [`Event::RemedyEnded`] follows.
    Remedy(Remedy),
    /// Gives dockerd the image's own settings for its next start.
    UseImageSettings,
    /// Shows a problem on the consoles and keeps it under an id.
    Report(&'static str, String),
    /// Shows a line on the consoles.
    Announce(String),
    /// Writes a line to the kernel log.
    Log(log::Level, String),
    /// Reads the time limit of the shutdown; [`Event::TimeLimit`] follows.
    ReadTimeLimit,
    /// Starts `ros stop-containers`; [`Event::StopperStarted`] follows unless it cannot be started.
    StopContainers {
        seconds: u64,
    },
    /// Sends SIGTERM to all processes.
    TerminateStrays,
    /// Ends the machine.
    PowerDown(Power),
    FeedWatchdog,
    /// A halted machine stays as it is.
    DisarmWatchdog,
}

/// A shutdown that has begun.
#[derive(Clone, Copy, Debug)]
struct Shutdown {
    power: Power,
    /// The time limit of the whole shutdown.
    limit: Duration,
    stage: Stage,
    began: Instant,
    stage_began: Instant,
    is_stopper_running: bool,
}

/// The state of the supervisor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Supervision {
    containerd: Schedule,
    dockerd: Schedule,
    sysinit: Schedule,
    scheduled: Option<(Instant, Power)>,
    shutdown: Option<Shutdown>,
    watchdog: Option<Feeding>,
    sysinit_health: SysinitHealth,
    health: EngineHealth,
    /// Whether dockerd runs with settings of the user's, which may keep it from starting.
    has_own_settings: bool,
}

impl Supervision {
    /// All daemons are due at `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            containerd: Schedule::new(now),
            dockerd: Schedule::new(now),
            sysinit: Schedule::new(now),
            scheduled: None,
            shutdown: None,
            watchdog: None,
            sysinit_health: SysinitHealth::new(now),
            health: EngineHealth::new(now),
            has_own_settings: false,
        }
    }

    /// dockerd has settings of the user's. They are given up if it ends before its first answer.
    #[must_use]
    pub(crate) fn with_own_settings(self, has_own_settings: bool) -> Self {
        Self {
            has_own_settings,
            ..self
        }
    }

    /// The state after `event`, and the actions to take in their order.
    pub(crate) fn next(mut self, event: Event, now: Instant) -> (Self, Vec<Action>) {
        let actions = match event {
            Event::Tick { has_strays } => self.tick(has_strays, now),
            Event::Request(request) => self.take_request(request, now),
            Event::Signal(signal) => {
                let (power, why) = match signal {
                    ShutdownSignal::CtrlAltDel => (Power::Reboot, "Ctrl-Alt-Del"),
                    ShutdownSignal::Terminate => (Power::Reboot, "SIGTERM"),
                    ShutdownSignal::PowerFailure => (Power::Off, "a power failure"),
                };
                self.begin_shutdown(power, why, now)
            }
            Event::Started(daemon) => {
                self.schedule_mut(daemon).note_start(now);
                if daemon == Daemon::Sysinit {
                    self.sysinit_health.note_start(now);
                }
                daemon
                    .part()
                    .into_iter()
                    .for_each(|part| self.health.note_start(part));
                Vec::new()
            }
            Event::StartFailed(daemon) => {
                self.schedule_mut(daemon).note_failed_start(now);
                Vec::new()
            }
            Event::Ended { daemon, how } => self.note_end(daemon, &how, now),
            Event::StopperStarted => self.change_shutdown(|down| down.is_stopper_running = true),
            Event::StopperEnded => self.change_shutdown(|down| down.is_stopper_running = false),
            Event::TimeLimit(limit) => self.change_shutdown(|down| down.limit = limit),
            Event::WatchdogOpened(timeout) => {
                self.watchdog = Some(Feeding::new(timeout, now));
                Vec::new()
            }
            Event::SysinitBeat(beat) => self.judge_sysinit(beat, now),
            Event::ProbeEnded(answers) => self.judge(answers, now),
            Event::MediumGone(node) => {
                let text = format!(
                    "the boot medium {node} is gone, and programs cannot be read any more: put it back, the machine \
                     reboots (hint: with paddock.toram on the kernel line it may be pulled after the boot)"
                );
                let mut actions = vec![Action::Report("medium", text)];
                actions.extend(self.begin_shutdown(Power::Reboot, "the boot medium is gone", now));
                actions
            }
            // It may have started meanwhile.
            Event::RescueIdle if self.health.has_answered() => Vec::new(),
            Event::RescueIdle => {
                self.begin_shutdown(Power::Reboot, "nobody is at the rescue console", now)
            }
            Event::RemedyEnded { is_done } => {
                let next = self.health.note_remedy_end(is_done, now);
                let why = || "the state cannot take it".to_owned();
                next.map_or_else(Vec::new, |remedy| self.begin_remedy(remedy, &why()))
            }
        };
        (self, actions)
    }

    /// The text that answers a request.
    pub(crate) fn reply_to(&self, request: Request) -> String {
        match request {
            Request::Down { power, after } if after.is_zero() => {
                format!("{} begins", power.name())
            }
            Request::Down { power, after } => in_minutes(power, after),
            Request::Cancel if self.scheduled.is_some() => "scheduled shutdown cancelled".into(),
            Request::Cancel => "no shutdown was scheduled".into(),
        }
    }

    /// The time of the next tick, unless an event comes before it.
    pub(crate) fn wake_at(&self, now: Instant) -> Instant {
        let mut until = now + LONGEST_SLEEP;
        if let Some(watchdog) = self.watchdog {
            until = until.min(watchdog.wake_at(now));
        }
        if let Some((at, _)) = self.scheduled {
            until = until.min(at);
        }
        if self.shutdown.is_some() {
            return until.min(now + SHUTDOWN_POLL_INTERVAL);
        }
        Daemon::ALL
            .into_iter()
            .filter(|daemon| self.may_start(*daemon))
            .filter_map(|daemon| self.schedule(daemon).due())
            .chain(self.health.wake_at())
            .fold(until, Instant::min)
    }

    /// The stage of a shutdown that has begun.
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.shutdown.map(|down| down.stage)
    }

    /// Whether a watchdog is fed.
    pub(crate) fn has_watchdog(&self) -> bool {
        self.watchdog.is_some()
    }

    fn schedule(&self, daemon: Daemon) -> &Schedule {
        match daemon {
            Daemon::Containerd => &self.containerd,
            Daemon::Dockerd => &self.dockerd,
            Daemon::Sysinit => &self.sysinit,
        }
    }

    fn schedule_mut(&mut self, daemon: Daemon) -> &mut Schedule {
        match daemon {
            Daemon::Containerd => &mut self.containerd,
            Daemon::Dockerd => &mut self.dockerd,
            Daemon::Sysinit => &mut self.sysinit,
        }
    }

    fn change_shutdown(&mut self, change: impl FnOnce(&mut Shutdown)) -> Vec<Action> {
        if let Some(down) = &mut self.shutdown {
            change(down);
        }
        Vec::new()
    }

    fn take_request(&mut self, request: Request, now: Instant) -> Vec<Action> {
        match request {
            Request::Down { power, after } if after.is_zero() => {
                self.begin_shutdown(power, "a request", now)
            }
            Request::Down { power, after } => {
                self.scheduled = Some((now + after, power));
                vec![Action::Announce(format!(
                    "ros: {}",
                    in_minutes(power, after)
                ))]
            }
            Request::Cancel if self.scheduled.take().is_some() => {
                vec![Action::Announce("ros: scheduled shutdown cancelled".into())]
            }
            Request::Cancel => Vec::new(),
        }
    }

    fn note_end(&mut self, daemon: Daemon, how: &str, now: Instant) -> Vec<Action> {
        let is_down = self.shutdown.is_some();
        let schedule = self.schedule_mut(daemon);
        if is_down {
            schedule.stop();
        }
        schedule.note_end(now);
        if is_down {
            return Vec::new();
        }
        daemon
            .part()
            .into_iter()
            .for_each(|part| self.health.note_death(part));
        let text = format!("{} ended ({how}); starting it again", daemon.name());
        let mut actions = vec![Action::Log(log::Level::Warn, text)];
        if daemon == Daemon::Dockerd && self.has_own_settings && !self.health.has_answered() {
            self.has_own_settings = false;
            let text = format!(
                "System Docker did not start with the settings of rancher.system_docker ({how}); it runs with the \
                 image's own until they are corrected (see /var/log/system-docker.log)"
            );
            actions.extend([
                Action::UseImageSettings,
                Action::Report("system-docker.settings", text),
            ]);
        }
        actions
    }

    fn tick(&mut self, has_strays: bool, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some((at, power)) = self.scheduled
            && at <= now
        {
            self.scheduled = None;
            actions.extend(self.begin_shutdown(power, "the scheduled time", now));
        }
        match self.shutdown {
            Some(down) => actions.extend(self.advance_shutdown(down, has_strays, now)),
            None => {
                actions.extend(self.watch_engine(now));
                actions.extend(
                    Daemon::ALL
                        .into_iter()
                        .filter(|daemon| self.may_start(*daemon))
                        .filter(|daemon| self.schedule(*daemon).is_due(now))
                        .map(Action::Start),
                );
            }
        }
        let is_fed = self.shutdown.is_some() || self.health.feeds_watchdog(now);
        if is_fed
            && let Some(watchdog) = &mut self.watchdog
            && watchdog.take_due(now)
        {
            actions.push(Action::FeedWatchdog);
        }
        actions
    }

    /// Whether a daemon may be started: the daemons of System Docker stay down while a remedy changes their data.
    fn may_start(&self, daemon: Daemon) -> bool {
        daemon.part().is_none() || !self.health.keeps_down()
    }

    /// Probes System Docker, and takes the remedies that are due.
    fn watch_engine(&mut self, now: Instant) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.health.take_hung_probe(now) {
            actions.push(Action::KillProbe);
        }
        if self.health.take_due_probe(now) {
            actions.extend([Action::Probe, Action::ReadBeat]);
            if !self.sysinit.is_running() {
                actions.push(Action::LimitLogs);
            }
        }
        if self.health.has_hung_remedy(now)
            && let Some(remedy) = self.health.note_remedy_end(false, now)
        {
            actions.extend(self.begin_remedy(remedy, "the disk does not answer"));
        }
        if let Some((remedy, why)) = self.health.take_due_remedy(now) {
            actions.extend(self.begin_remedy(remedy, &why));
        }
        let is_down = !self.dockerd.is_running() && !self.containerd.is_running();
        if is_down && let Some(remedy) = self.health.take_ready_remedy(now) {
            actions.push(Action::Remedy(remedy));
        }
        actions
    }

    fn begin_remedy(&mut self, remedy: Remedy, why: &str) -> Vec<Action> {
        let what = match remedy {
            Remedy::SetAside => {
                "its data is set aside and its images are installed anew; the old data stays in \
                 /state/paddock/system-docker.damaged"
            }
            Remedy::InMemory => "it works in memory until the next boot",
            Remedy::Rescue => "a rescue console opens",
        };
        let text = format!("System Docker cannot start: {why}; {what}");
        let mut actions = vec![Action::Report("system-docker", text)];
        if remedy == Remedy::Rescue {
            actions.push(Action::Remedy(remedy));
            return actions;
        }
        for daemon in [Daemon::Dockerd, Daemon::Containerd] {
            if self.schedule(daemon).is_running() {
                actions.push(Action::Kill(daemon));
            }
        }
        actions
    }

    /// Ends the daemons that no longer answer.
    fn judge(&mut self, answers: Option<Answers>, now: Instant) -> Vec<Action> {
        let verdicts = self.health.note_probe(answers, now);
        if self.shutdown.is_some() {
            return Vec::new();
        }
        let mut actions = Vec::new();
        for (part, verdict) in verdicts {
            let daemon = Daemon::from(part);
            if !self.schedule(daemon).is_running() {
                continue;
            }
            let text = format!("{} does not answer; it is replaced", daemon.name());
            actions.push(Action::Log(log::Level::Error, text));
            actions.push(match verdict {
                Verdict::Abort => Action::Abort(daemon),
                Verdict::Kill => Action::Kill(daemon),
            });
        }
        actions
    }

    /// Ends a `ros sysinit` that hangs. Services run on, and the next one takes them over.
    fn judge_sysinit(&mut self, beat: Option<Duration>, now: Instant) -> Vec<Action> {
        let hangs = self.sysinit_health.note_beat(beat, now);
        if !hangs || self.shutdown.is_some() || !self.sysinit.is_running() {
            return Vec::new();
        }
        let text = format!("{} hangs; it is replaced", Daemon::Sysinit.name());
        vec![
            Action::Log(log::Level::Error, text),
            Action::Kill(Daemon::Sysinit),
        ]
    }

    /// Begins a shutdown; a shutdown that has begun goes on as it is.
    fn begin_shutdown(&mut self, power: Power, why: &str, now: Instant) -> Vec<Action> {
        if self.shutdown.is_some() {
            return Vec::new();
        }
        self.shutdown = Some(Shutdown {
            power,
            limit: stages::DEFAULT_LIMIT,
            stage: Stage::Sysinit,
            began: now,
            stage_began: now,
            is_stopper_running: false,
        });
        let mut actions = vec![
            Action::Announce(format!("ros: {} ({why})", power.name())),
            Action::ReadTimeLimit,
        ];
        actions.extend(self.stop(Daemon::Sysinit));
        actions
    }

    /// Stops a daemon for good; it gets SIGTERM once.
    fn stop(&mut self, daemon: Daemon) -> Option<Action> {
        let schedule = self.schedule_mut(daemon);
        let was_stopped = schedule.is_stopped();
        schedule.stop();
        (schedule.is_running() && !was_stopped).then_some(Action::Terminate(daemon))
    }

    fn advance_shutdown(&mut self, down: Shutdown, has_strays: bool, now: Instant) -> Vec<Action> {
        let alive = Survivors {
            sysinit: self.sysinit.is_running(),
            stopper: down.is_stopper_running,
            daemons: self.dockerd.is_running() || self.containerd.is_running(),
            strays: has_strays,
        };
        let elapsed = Elapsed {
            in_stage: now.duration_since(down.stage_began),
            total: now.duration_since(down.began),
        };
        let stage = stages::next_stage(down.stage, alive, elapsed, down.limit);
        if stage == down.stage {
            // containerd has nothing left to do once dockerd has gone.
            let is_last = stage == Stage::Daemons && !self.dockerd.is_running();
            let stopped = is_last.then(|| self.stop(Daemon::Containerd));
            return Vec::from_iter(stopped.flatten());
        }
        self.shutdown = Some(Shutdown {
            stage,
            stage_began: now,
            ..down
        });
        let mut actions = vec![Action::Log(
            log::Level::Info,
            format!(
                "shutdown stage {} took {:.2} s",
                down.stage,
                elapsed.in_stage.as_secs_f64()
            ),
        )];
        match stage {
            Stage::Sysinit => {}
            Stage::Containers => {
                let left = down.limit.saturating_sub(stages::RESERVE);
                let seconds = left.as_secs().max(1);
                actions.push(Action::StopContainers { seconds });
            }
            Stage::Daemons => actions.extend(self.stop(Daemon::Dockerd)),
            Stage::Strays => actions.push(Action::TerminateStrays),
            Stage::PowerDown => {
                // A kernel that starts by kexec finds no reset hardware, and may come to the watchdog too late.
                let disarms = matches!(down.power, Power::Halt | Power::Kexec);
                if disarms && self.watchdog.is_some() {
                    actions.push(Action::DisarmWatchdog);
                }
                actions.push(Action::PowerDown(down.power));
            }
        }
        actions
    }
}

fn in_minutes(power: Power, after: Duration) -> String {
    format!("{} in {} min", power.name(), after.as_secs() / 60)
}

#[cfg(test)]
mod tests;
