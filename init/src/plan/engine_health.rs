//! The health of System Docker as the supervisor sees it: answers to probes, deaths of its daemons, and the remedies,
//! each stronger than the one before. Pure: times and events in, verdicts out.

use std::time::{Duration, Instant};

use host::restart::{Liveness, PROBE_INTERVAL, Verdict};

/// The limit for a probe, whose own limit for the daemons' answers is shorter.
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);
/// So many deaths, or so long without an answer since the boot, show that System Docker cannot start on its data.
const MAX_DEATHS: u32 = 10;
const START_TIMEOUT: Duration = Duration::from_secs(300);
/// The watchdog resets a machine whose System Docker has been silent for longer.
const SILENCE_LIMIT: Duration = Duration::from_secs(300);
/// The limit for a remedy, which a hung disk can block for ever.
const REMEDY_TIMEOUT: Duration = Duration::from_secs(60);

/// A daemon of System Docker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Containerd,
    Dockerd,
}

/// The daemons that have answered a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) containerd: bool,
    pub(crate) dockerd: bool,
}

/// A remedy for a System Docker that cannot start on its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// The data is renamed, and the image store is installed anew.
    SetAside,
    /// The image store is installed in memory.
    InMemory,
    /// A login on the consoles, for a person. System Docker is started again and again meanwhile.
    Rescue,
}

#[derive(Clone, Copy, Debug)]
enum Probe {
    Ended(Instant),
    Running(Instant),
    /// It has been killed and has not ended yet.
    Killed,
}

/// The state of a remedy that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    None,
    /// The daemons are to end first.
    Ending(Remedy, Instant),
    Working(Remedy, Instant),
}

/// The health of System Docker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EngineHealth {
    containerd: Liveness,
    dockerd: Liveness,
    probe: Probe,
    /// Whether System Docker has answered since the boot or since the last remedy.
    has_answered: bool,
    /// The last answer, the boot or the last remedy.
    silent_since: Instant,
    deaths: u32,
    next_remedy: Remedy,
    progress: Progress,
}

impl EngineHealth {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            containerd: Liveness::default(),
            dockerd: Liveness::default(),
            probe: Probe::Ended(now),
            has_answered: false,
            silent_since: now,
            deaths: 0,
            next_remedy: Remedy::SetAside,
            progress: Progress::None,
        }
    }

    /// Whether System Docker has answered since the boot or since the last remedy.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered
    }

    /// Whether a probe is to be started now.
    pub(crate) fn take_due_probe(&mut self, now: Instant) -> bool {
        let is_due = matches!(self.probe, Probe::Ended(at) if now >= at + PROBE_INTERVAL);
        if is_due {
            self.probe = Probe::Running(now);
        }
        is_due
    }

    /// Whether a probe that hangs is to be killed now.
    pub(crate) fn take_hung_probe(&mut self, now: Instant) -> bool {
        let is_hung = matches!(self.probe, Probe::Running(at) if now >= at + PROBE_TIMEOUT);
        if is_hung {
            self.probe = Probe::Killed;
        }
        is_hung
    }

    /// Notes the end of a probe; without answers it says nothing about the daemons. Returns what is to be done.
    pub(crate) fn note_probe(
        &mut self,
        answers: Option<Answers>,
        now: Instant,
    ) -> Vec<(Part, Verdict)> {
        self.probe = Probe::Ended(now);
        let Some(answers) = answers else {
            return Vec::new();
        };
        if answers.containerd && answers.dockerd {
            self.has_answered = true;
            self.silent_since = now;
            self.deaths = 0;
        }
        let containerd = self.containerd.note(answers.containerd);
        let dockerd = self.dockerd.note(answers.dockerd);
        [(Part::Containerd, containerd), (Part::Dockerd, dockerd)]
            .into_iter()
            .filter_map(|(part, verdict)| Some((part, verdict?)))
            .collect()
    }

    pub(crate) fn note_start(&mut self, part: Part) {
        *self.liveness_mut(part) = Liveness::default();
    }

    pub(crate) fn note_death(&mut self, part: Part) {
        *self.liveness_mut(part) = Liveness::default();
        self.deaths = self.deaths.saturating_add(1);
    }

    /// Begins a remedy if one is due, and returns it with its reason. After an answer there is none: the containers
    /// that run need the data.
    pub(crate) fn take_due_remedy(&mut self, now: Instant) -> Option<(Remedy, String)> {
        if self.has_answered || self.progress != Progress::None {
            return None;
        }
        let why = if self.deaths >= MAX_DEATHS {
            format!("its daemons ended {} times", self.deaths)
        } else if now >= self.silent_since + START_TIMEOUT {
            format!("it has not answered in {} s", START_TIMEOUT.as_secs())
        } else {
            return None;
        };
        Some((self.begin(now), why))
    }

    fn begin(&mut self, now: Instant) -> Remedy {
        let remedy = self.next_remedy;
        self.next_remedy = match remedy {
            Remedy::SetAside => Remedy::InMemory,
            Remedy::InMemory | Remedy::Rescue => Remedy::Rescue,
        };
        self.progress = match remedy {
            Remedy::Rescue => Progress::Working(remedy, now),
            _ => Progress::Ending(remedy, now),
        };
        remedy
    }

    /// Whether the daemons must stay down.
    pub(crate) fn keeps_down(&self) -> bool {
        match self.progress {
            Progress::None | Progress::Working(Remedy::Rescue, _) => false,
            Progress::Ending(..) | Progress::Working(..) => true,
        }
    }

    /// The remedy that waits for the end of the daemons; it works now.
    pub(crate) fn take_ready_remedy(&mut self, now: Instant) -> Option<Remedy> {
        let Progress::Ending(remedy, _) = self.progress else {
            return None;
        };
        self.progress = Progress::Working(remedy, now);
        Some(remedy)
    }

    /// Whether a remedy on the data has taken too long; it counts as failed.
    pub(crate) fn has_hung_remedy(&self, now: Instant) -> bool {
        self.remedy_limit().is_some_and(|limit| now >= limit)
    }

    /// Notes the end of a remedy. Returns the next remedy, which begins at once, if this one failed.
    pub(crate) fn note_remedy_end(&mut self, is_done: bool, now: Instant) -> Option<Remedy> {
        if self.progress == Progress::None {
            return None;
        }
        self.progress = Progress::None;
        self.silent_since = now;
        self.deaths = 0;
        (!is_done).then(|| self.begin(now))
    }

    /// Whether the watchdog is to be fed: System Docker answers, or a person or a remedy is at work.
    pub(crate) fn feeds_watchdog(&self, now: Instant) -> bool {
        self.progress != Progress::None || now <= self.silent_since + SILENCE_LIMIT
    }

    /// The next time at which something is due, if any.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let probe = match self.probe {
            Probe::Ended(at) => Some(at + PROBE_INTERVAL),
            Probe::Running(at) => Some(at + PROBE_TIMEOUT),
            // The kernel may be unable to end it; its end is an event.
            Probe::Killed => None,
        };
        let is_due = self.progress == Progress::None && !self.has_answered;
        let start = is_due.then(|| self.silent_since + START_TIMEOUT);
        let times = [probe, start, self.remedy_limit()];
        times.into_iter().flatten().min()
    }

    /// A person has no limit here.
    fn remedy_limit(&self) -> Option<Instant> {
        match self.progress {
            Progress::None | Progress::Working(Remedy::Rescue, _) => None,
            Progress::Ending(_, at) | Progress::Working(_, at) => Some(at + REMEDY_TIMEOUT),
        }
    }

    fn liveness_mut(&mut self, part: Part) -> &mut Liveness {
        match part {
            Part::Containerd => &mut self.containerd,
            Part::Dockerd => &mut self.dockerd,
        }
    }
}
