//! The hardware watchdog, which not every machine has: it resets the machine when PID 1 hangs.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::{Duration, Instant};

/// Far below the shortest default timeout of common watchdogs (30 s).
pub(crate) const FEED_INTERVAL: Duration = Duration::from_secs(10);

/// An open watchdog. It stays armed on purpose when the machine goes down.
#[derive(Debug)]
pub(crate) struct Watchdog {
    device: File,
    fed: Instant,
}

impl Watchdog {
    /// Opens the first watchdog, which starts it.
    pub(crate) fn open() -> Option<Self> {
        let device = OpenOptions::new().write(true).open("/dev/watchdog0").ok()?;
        let mut watchdog = Self {
            device,
            fed: Instant::now(),
        };
        watchdog.feed(Instant::now());
        Some(watchdog)
    }

    /// Feeds the watchdog if the interval has passed.
    pub(crate) fn feed_if_due(&mut self, now: Instant) {
        if now.duration_since(self.fed) >= FEED_INTERVAL {
            self.feed(now);
        }
    }

    fn feed(&mut self, now: Instant) {
        self.fed = now;
        if let Err(error) = self.device.write_all(b"\n") {
            log::warn!("feeding the watchdog: {error}");
        }
    }
}
