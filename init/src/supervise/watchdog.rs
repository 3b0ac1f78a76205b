//! The hardware watchdog, which not every machine has: it resets the machine when PID 1 hangs.

use std::fs::{File, OpenOptions};
use std::io::Write;

/// An open watchdog. It stays armed on purpose when the machine goes down.
#[derive(Debug)]
pub(crate) struct Watchdog {
    device: File,
}

impl Watchdog {
    /// Opens the first watchdog, which starts it, and feeds it.
    pub(crate) fn open() -> Option<Self> {
        let device = OpenOptions::new().write(true).open("/dev/watchdog0").ok()?;
        let mut watchdog = Self { device };
        watchdog.feed();
        Some(watchdog)
    }

    /// Feeds the watchdog.
    pub(crate) fn feed(&mut self) {
        if let Err(error) = self.device.write_all(b"\n") {
            log::warn!("feeding the watchdog: {error}");
        }
    }
}
