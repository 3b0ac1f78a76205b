//! The hardware watchdog, which not every machine has: it resets the machine when PID 1 hangs, or when System Docker
//! does not answer for minutes.

use std::fs::{File, OpenOptions};

use host::perform::watchdog;

/// The timeout that PID 1 asks for. The watchdogs of some boards have 10 s at first.
const TIMEOUT_SECS: i32 = 60;

/// An open watchdog. It stays armed when the machine reboots or powers off, which may hang.
#[derive(Debug)]
pub(crate) struct Watchdog {
    device: File,
}

impl Watchdog {
    /// Opens the first watchdog, which starts it, sets its timeout and feeds it.
    pub(crate) fn open() -> Option<Self> {
        let device = OpenOptions::new().write(true).open("/dev/watchdog0").ok()?;
        match watchdog::set_timeout(&device, TIMEOUT_SECS) {
            Ok(secs) => log::info!("the watchdog resets the machine after {secs} s"),
            Err(error) => log::warn!("setting the watchdog's timeout: {error}"),
        }
        let mut watchdog = Self { device };
        watchdog.feed();
        Some(watchdog)
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
