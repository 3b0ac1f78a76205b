//! Restart policies of system services, as a pure state machine over the engine's events.
//!
//! System Docker's own restart policies are not used: after a power cut it would start every container at once and in
//! no order, before the service engine runs.

use std::time::Duration;

use host::restart::{BackOff, HEALTHY_AFTER};

/// The first pause and the longest (Docker's figures).
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A failed start counts as a death with this exit code, so that `on-failure` tries it again. It is Docker's own.
const START_FAILED_CODE: i64 = 128;

/// The restart policy of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Never,
    Always,
    OnFailure { times: Option<u32> },
}

impl Policy {
    /// Reads compose's word; `unless-stopped` is `always`, since an operator's stop is always respected.
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let text = text.unwrap_or("no");
        match text.split_once(':').unwrap_or((text, "")) {
            ("always" | "unless-stopped", _) => Self::Always,
            ("on-failure", times) => Self::OnFailure {
                times: times.parse().ok().filter(|times| *times > 0),
            },
            _ => Self::Never,
        }
    }
}

/// An event of a container; times are since any fixed moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Started {
        at: Duration,
    },
    /// An operator asked the engine to stop or kill it.
    Stopped,
    Died {
        at: Duration,
        code: i64,
    },
    /// The engine could not start it. The engine tells of no death then.
    StartFailed {
        at: Duration,
    },
}

/// The remembered state of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct History {
    started: Option<Duration>,
    stopped: bool,
    failures: u32,
    back_off: BackOff,
}

impl Default for History {
    fn default() -> Self {
        Self {
            started: None,
            stopped: false,
            failures: 0,
            back_off: BackOff::new(FIRST_PAUSE, LONGEST_PAUSE),
        }
    }
}

/// The consequence of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    StartAfter(Duration),
    /// The container stays down, also over a restart of the service engine.
    StayDown,
}

/// The next state and the consequence of an event.
pub(crate) fn next(policy: Policy, history: History, event: Event) -> (History, Next) {
    match event {
        Event::Started { at } => (
            History {
                started: Some(at),
                stopped: false,
                ..history
            },
            Next::Nothing,
        ),
        Event::Stopped => (
            History {
                stopped: true,
                ..history
            },
            Next::Nothing,
        ),
        Event::Died { .. } | Event::StartFailed { .. } if history.stopped => (
            History {
                stopped: true,
                ..History::default()
            },
            Next::StayDown,
        ),
        Event::Died { at, code } => died(policy, history, at, code),
        Event::StartFailed { at } => died(policy, history, at, START_FAILED_CODE),
    }
}

fn died(policy: Policy, mut history: History, at: Duration, code: i64) -> (History, Next) {
    let healthy = history
        .started
        .is_some_and(|started| at.saturating_sub(started) >= HEALTHY_AFTER);
    if healthy {
        history.failures = 0;
        history.back_off.reset();
    }
    let failures = history.failures + 1;
    let pause = history.back_off.next_pause();
    let again = match policy {
        Policy::Never => false,
        Policy::Always => true,
        Policy::OnFailure { times } => code != 0 && times.is_none_or(|times| failures <= times),
    };
    let history = History {
        started: None,
        stopped: false,
        failures,
        back_off: history.back_off,
    };
    (
        history,
        if again {
            Next::StartAfter(pause)
        } else {
            Next::Nothing
        },
    )
}

#[cfg(test)]
mod tests {
    use super::{Event, FIRST_PAUSE, History, Next, Policy, next};
    use std::time::Duration;

    /// Feeds events and returns the consequence of the last event.
    fn run(policy: &str, events: &[Event]) -> Next {
        let mut history = History::default();
        let mut last = Next::Nothing;
        for event in events {
            (history, last) = next(Policy::parse(Some(policy)), history, *event);
        }
        last
    }

    #[test]
    fn policies() {
        let s = Duration::from_secs;
        let (start, long) = (
            Event::Started { at: s(0) },
            Event::Died {
                at: s(100),
                code: 0,
            },
        );
        let fail = Event::Died { at: s(1), code: 1 };
        let ok = Event::Died { at: s(1), code: 0 };
        let no_start = Event::StartFailed { at: s(1) };
        for (name, policy, events, expected) in [
            (
                "always, clean end",
                "always",
                vec![start, ok],
                Next::StartAfter(FIRST_PAUSE),
            ),
            (
                "always, second early end",
                "always",
                vec![start, ok, start, ok],
                Next::StartAfter(FIRST_PAUSE * 2),
            ),
            (
                "always, healthy between",
                "always",
                vec![start, ok, start, long],
                Next::StartAfter(FIRST_PAUSE),
            ),
            ("no", "no", vec![start, fail], Next::Nothing),
            (
                "on-failure, clean end",
                "on-failure",
                vec![start, ok],
                Next::Nothing,
            ),
            (
                "on-failure, failed",
                "on-failure",
                vec![start, fail],
                Next::StartAfter(FIRST_PAUSE),
            ),
            (
                "on-failure:1, failed twice",
                "on-failure:1",
                vec![start, fail, start, fail],
                Next::Nothing,
            ),
            (
                "stopped by hand",
                "always",
                vec![start, Event::Stopped, ok],
                Next::StayDown,
            ),
            (
                "a start that failed",
                "always",
                vec![start, ok, no_start],
                Next::StartAfter(FIRST_PAUSE * 2),
            ),
            (
                "a start that failed for the third time",
                "always",
                vec![no_start, no_start, no_start],
                Next::StartAfter(FIRST_PAUSE * 4),
            ),
            (
                "a failed start is a failure",
                "on-failure:2",
                vec![start, fail, no_start],
                Next::StartAfter(FIRST_PAUSE * 2),
            ),
            (
                "failed starts count",
                "on-failure:2",
                vec![no_start, no_start, no_start],
                Next::Nothing,
            ),
            (
                "stopped by hand while it was being started",
                "always",
                vec![start, Event::Stopped, no_start],
                Next::StayDown,
            ),
            (
                "started again by hand",
                "always",
                vec![start, Event::Stopped, ok, start, ok],
                Next::StartAfter(FIRST_PAUSE),
            ),
        ] {
            assert_eq!(run(policy, &events), expected, "{name}");
        }
    }

    #[test]
    fn pauses_stop_growing() {
        let events: Vec<Event> = (0..20)
            .flat_map(|_| {
                [
                    Event::Started { at: Duration::ZERO },
                    Event::Died {
                        at: Duration::ZERO,
                        code: 1,
                    },
                ]
            })
            .collect();
        assert_eq!(
            run("always", &events),
            Next::StartAfter(Duration::from_secs(60))
        );
    }
}
