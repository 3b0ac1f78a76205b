//! The health of `ros sysinit` as the supervisor sees it: a file that it writes again and again. Pure: times in, verdicts
//! out.

use std::time::{Duration, Instant};

/// `ros sysinit` is replaced after so long without a sign of life. It reads disks and asks servers at a boot, and has a
/// limit for each, so that this is no limit of its work.
const HANG_LIMIT: Duration = Duration::from_secs(300);

/// The signs of life of the running `ros sysinit`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SysinitHealth {
    /// The time of the file since 1970, which the clock's jumps change too: only whether it changes counts.
    beat: Option<Duration>,
    /// The last change, or the start.
    since: Instant,
}

impl SysinitHealth {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            beat: None,
            since: now,
        }
    }

    pub(crate) fn note_start(&mut self, now: Instant) {
        self.since = now;
    }

    /// Notes a look at the file. Returns whether the process hangs; it has the time of a start again after that.
    pub(crate) fn note_beat(&mut self, beat: Option<Duration>, now: Instant) -> bool {
        if beat != self.beat {
            self.beat = beat;
            self.since = now;
        }
        let hangs = now >= self.since + HANG_LIMIT;
        if hangs {
            self.since = now;
        }
        hangs
    }
}

#[cfg(test)]
mod tests {
    use super::{HANG_LIMIT, SysinitHealth};
    use std::time::{Duration, Instant};

    #[test]
    fn a_process_without_a_sign_of_life_hangs() {
        let now = Instant::now();
        let half = HANG_LIMIT / 2;
        let beat = Duration::from_secs(1_800_000_000);
        let mut health = SysinitHealth::new(now);
        // Before the first sign there is the time of a start.
        assert!(!health.note_beat(None, now + half));
        assert!(!health.note_beat(Some(beat), now + half * 2));
        assert!(!health.note_beat(Some(beat), now + half * 3));
        assert!(health.note_beat(Some(beat), now + half * 4));
        assert!(!health.note_beat(Some(beat), now + half * 5));
        // A clock that is set back is a sign of life too.
        let earlier = beat - Duration::from_secs(86_400);
        assert!(!health.note_beat(Some(earlier), now + half * 6));
        health.note_start(now + half * 7);
        assert!(!health.note_beat(Some(earlier), now + half * 8));
        assert!(health.note_beat(Some(earlier), now + half * 9));
    }
}
