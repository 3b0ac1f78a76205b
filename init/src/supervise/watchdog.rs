//! The hardware watchdog, which not every machine has: it resets the machine when PID 1 hangs, or when System Docker
//! does not answer for minutes.

use std::fs::{File, OpenOptions};
use std::time::Duration;

use host::perform::watchdog;

use crate::plan::watchdog::TIMEOUT;

/// An open watchdog. It stays armed when the machine reboots or powers off, which may hang.
#[derive(Debug)]
pub(crate) struct Watchdog {
    device: File,
    timeout: Option<Duration>,
}

impl Watchdog {
    /// Opens the first watchdog, which starts it, sets its timeout and feeds it.
    pub(crate) fn open() -> Option<Self> {
        let device = OpenOptions::new().write(true).open("/dev/watchdog0").ok()?;
        let secs = i32::try_from(TIMEOUT.as_secs()).unwrap_or(i32::MAX);
        let taken = watchdog::set_timeout(&device, secs).or_else(|error| {
            log::warn!("setting the watchdog's timeout: {error}");
            watchdog::timeout(&device)
        });
        if let Ok(secs) = taken {
            log::info!("the watchdog resets the machine after {secs} s");
        }
        let secs = taken.ok().and_then(|secs| u64::try_from(secs).ok());
        let mut watchdog = Self {
            device,
            timeout: secs.map(Duration::from_secs),
        };
        watchdog.feed();
        Some(watchdog)
    }

    /// The timeout that the device took. Some devices cannot tell.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Feeds the watchdog.
    pub(crate) fn feed(&mut self) {
        if let Err(error) = watchdog::feed(&self.device) {
            log::warn!("feeding the watchdog: {error}");
        }
    }

    /// Disarms the watchdog: a halted machine stays as it is.
    pub(crate) fn disarm(self) {
        if let Err(error) = watchdog::disarm(self.device) {
            log::warn!("disarming the watchdog: {error}");
        }
    }
}
