//! When a process starts again after its end, and when a failed attempt is repeated. Pure: times in, times out.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

/// A process that ran this long is healthy: the pauses after its next end begin anew.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// The pauses between attempts. Each pause is twice as long as the pause before it, up to the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackOff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl BackOff {
    /// Pauses from `first` to `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            next: first,
        }
    }

    /// The pause before the next attempt; the pause after it is longer.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// Begins with the first pause again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// The starts of a process that a supervisor keeps running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    running_since: Option<Instant>,
    due: Option<Instant>,
    is_stopped: bool,
    back_off: BackOff,
}

impl Schedule {
    /// A process that is due at `now`.
    pub const fn new(now: Instant) -> Self {
        Self {
            running_since: None,
            due: Some(now),
            is_stopped: false,
            back_off: BackOff::new(Duration::from_millis(100), Duration::from_secs(5)),
        }
    }

    /// The time of the next start; `None` while the process runs or after it was stopped.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether the process is to be started now.
    pub fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Whether the process runs.
    pub fn is_running(&self) -> bool {
        self.running_since.is_some()
    }

    /// Whether the process was stopped for good.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Notes that the process was started.
    pub fn note_start(&mut self, now: Instant) {
        self.running_since = Some(now);
        self.due = None;
    }

    /// Notes that the process could not be started.
    pub fn note_failed_start(&mut self, now: Instant) {
        self.plan_restart(now);
    }

    /// Notes the end of the process.
    pub fn note_end(&mut self, now: Instant) {
        let since = self.running_since.take();
        if since.is_some_and(|since| now.duration_since(since) >= HEALTHY_AFTER) {
            self.back_off.reset();
        }
        self.plan_restart(now);
    }

    /// The process is not started again.
    pub fn stop(&mut self) {
        self.is_stopped = true;
        self.due = None;
    }

    fn plan_restart(&mut self, now: Instant) {
        if !self.is_stopped {
            self.due = Some(now + self.back_off.next_pause());
        }
    }
}

/// A daemon that has answered since its start is aborted at this many missed probes, and killed at the next.
const MAX_MISSES: u32 = 4;
/// A daemon that has not answered since its start may need long: it looks at every container first.
const MAX_MISSES_AT_START: u32 = 10;

/// The pause between two probes of a daemon.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(30);

/// What is to be done with a daemon that does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It prints what it was doing and ends.
    Abort,
    Kill,
}

/// The answers of a daemon since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Liveness {
    has_answered: bool,
    misses: u32,
}

impl Liveness {
    /// Notes a probe. Returns what is to be done.
    pub fn note(&mut self, is_answer: bool) -> Option<Verdict> {
        if is_answer {
            *self = Self {
                has_answered: true,
                misses: 0,
            };
            return None;
        }
        self.misses = self.misses.saturating_add(1);
        let limit = match self.has_answered {
            true => MAX_MISSES,
            false => MAX_MISSES_AT_START,
        };
        match self.misses.cmp(&limit) {
            Ordering::Less => None,
            Ordering::Equal => Some(Verdict::Abort),
            Ordering::Greater => Some(Verdict::Kill),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BackOff, HEALTHY_AFTER, Schedule};
    use std::time::{Duration, Instant};

    #[test]
    fn pauses_double_up_to_the_longest() {
        let secs = Duration::from_secs;
        let mut back_off = BackOff::new(secs(2), secs(60));
        let pauses: Vec<u64> = (0..7).map(|_| back_off.next_pause().as_secs()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
        back_off.reset();
        assert_eq!(back_off.next_pause(), secs(2));
    }

    /// The pause before the next start, in milliseconds.
    fn pause(schedule: &Schedule, now: Instant) -> Option<u128> {
        schedule.due().map(|due| (due - now).as_millis())
    }

    #[test]
    fn pauses_before_starts() {
        let early = HEALTHY_AFTER - Duration::from_millis(1);
        // For each run of the process, its length and the pause behind it; no length: the start failed.
        let runs = [
            (Some(Duration::ZERO), 100),
            (Some(early), 200),
            (None, 400),
            (None, 800),
            (Some(Duration::ZERO), 1600),
            (None, 3200),
            (None, 5000),
            (Some(early), 5000),
            (Some(HEALTHY_AFTER), 100),
            (None, 200),
            (Some(HEALTHY_AFTER * 9), 100),
        ];
        let mut now = Instant::now();
        let mut schedule = Schedule::new(now);
        for (step, (run, expected)) in runs.into_iter().enumerate() {
            assert!(schedule.is_due(now), "step {step}");
            match run {
                Some(length) => {
                    schedule.note_start(now);
                    assert_eq!((schedule.is_running(), schedule.due()), (true, None));
                    now += length;
                    schedule.note_end(now);
                }
                None => schedule.note_failed_start(now),
            }
            assert!(!schedule.is_running() && !schedule.is_due(now));
            assert_eq!(pause(&schedule, now), Some(expected), "step {step}");
            now += Duration::from_millis(expected as u64);
        }
    }

    #[test]
    fn a_stopped_process_is_not_started_again() {
        let now = Instant::now();
        let mut waiting = Schedule::new(now);
        waiting.stop();
        let mut running = Schedule::new(now);
        running.note_start(now);
        running.stop();
        assert!(running.is_running(), "it has not ended yet");
        running.note_end(now);
        for schedule in [waiting, running] {
            assert!(schedule.is_stopped() && !schedule.is_running());
            assert_eq!(schedule.due(), None);
        }
    }
}
