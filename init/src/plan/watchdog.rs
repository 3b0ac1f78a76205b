//! When the hardware watchdog is fed. Pure: times in, times out.

use std::time::{Duration, Instant};

/// The timeout that PID 1 asks for. The watchdogs of some boards have 10 s at first.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);
/// Far below [`TIMEOUT`], and below the default timeout of common watchdogs (30 s).
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);
/// A watchdog that gives less time than this for three feeds is fed at this interval all the same.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// The feeds of an open watchdog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Feeding {
    fed: Instant,
    interval: Duration,
}

impl Feeding {
    /// A watchdog that has just been opened, which feeds it too. `timeout` is what the device took; some cannot tell.
    pub(crate) fn new(timeout: Option<Duration>, now: Instant) -> Self {
        // A feed that comes late, or is missed once, is no reset.
        let third = timeout.map_or(LONGEST_INTERVAL, |timeout| timeout / 3);
        Self {
            fed: now,
            interval: third.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
        }
    }

    /// Whether the watchdog is to be fed now.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        let is_due = now.duration_since(self.fed) >= self.interval;
        if is_due {
            self.fed = now;
        }
        is_due
    }

    /// The time of the next look. A watchdog that is not fed any more is looked at again.
    pub(crate) fn wake_at(&self, now: Instant) -> Instant {
        let next = self.fed + self.interval;
        if next > now {
            next
        } else {
            now + self.interval
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Feeding;
    use std::time::{Duration, Instant};

    #[test]
    fn a_short_timeout_is_fed_more_often() {
        for (timeout, millis) in [
            (None, 10_000),
            (Some(255), 10_000),
            (Some(60), 10_000),
            (Some(30), 10_000),
            (Some(16), 5_333),
            (Some(8), 2_666),
            (Some(1), 1_000),
            (Some(0), 1_000),
        ] {
            let now = Instant::now();
            let mut feeding = Feeding::new(timeout.map(Duration::from_secs), now);
            let interval = feeding.wake_at(now) - now;
            assert_eq!(interval.as_millis(), millis, "{timeout:?}");
            assert!(!feeding.take_due(now + interval / 2), "{timeout:?}");
            assert!(feeding.take_due(now + interval), "{timeout:?}");
            assert!(!feeding.take_due(now + interval), "{timeout:?}");
            // A feed that was not allowed leaves it due.
            let late = now + interval * 9;
            assert_eq!(feeding.wake_at(late), late + interval);
        }
    }
}
