//! The kernel's interface to a hardware watchdog (`linux/watchdog.h`).
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Result, Write};
use std::os::fd::AsRawFd;

nix::ioctl_readwrite!(set_timeout_request, b'W', 6, i32);
nix::ioctl_read!(get_timeout_request, b'W', 7, i32);

/// Asks the watchdog for a timeout in seconds. Returns the timeout that it took, which may differ.
pub fn set_timeout(device: &File, secs: i32) -> Result<i32> {
    let mut taken = secs;
    // SAFETY: the request reads and writes one int, which lives as long as the call.
    unsafe { set_timeout_request(device.as_raw_fd(), &raw mut taken) }?;
    Ok(taken)
}

/// The watchdog's timeout in seconds.
pub fn timeout(device: &File) -> Result<i32> {
    let mut found = 0;
    // SAFETY: the request writes one int, which lives as long as the call.
    unsafe { get_timeout_request(device.as_raw_fd(), &raw mut found) }?;
    Ok(found)
}

/// Feeds the watchdog.
pub fn feed(mut device: &File) -> Result<()> {
    device.write_all(b"\n")
}

/// Disarms the watchdog with the character that the kernel waits for before the device is closed. Some watchdogs cannot
/// be disarmed.
pub fn disarm(mut device: File) -> Result<()> {
    device.write_all(b"V")
}

#[cfg(test)]
mod tests {
    use super::{disarm, feed, set_timeout, timeout};
    use std::fs::{self, OpenOptions};

    #[test]
    fn a_watchdog_is_fed_with_any_character_and_disarmed_with_its_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let device = OpenOptions::new().append(true).open(&file).unwrap();
        feed(&device).unwrap();
        feed(&device).unwrap();
        assert!(!fs::read_to_string(&file).unwrap().contains('V'));
        disarm(device).unwrap();
        assert!(fs::read_to_string(&file).unwrap().ends_with('V'));
    }

    #[test]
    fn a_file_that_is_no_watchdog_has_no_timeout() {
        let file = tempfile::tempfile().unwrap();
        assert!(set_timeout(&file, 60).is_err());
        assert!(timeout(&file).is_err());
    }
}
