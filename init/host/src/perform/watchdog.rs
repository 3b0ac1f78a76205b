//! The kernel's interface to a hardware watchdog (`linux/watchdog.h`).
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Result, Write};
use std::os::fd::AsRawFd;

nix::ioctl_readwrite!(set_timeout_request, b'W', 6, i32);

/// Asks the watchdog for a timeout in seconds. Returns the timeout that it took, which may differ.
pub fn set_timeout(device: &File, secs: i32) -> Result<i32> {
    let mut taken = secs;
    // SAFETY: the request reads and writes one int, which lives as long as the call.
    unsafe { set_timeout_request(device.as_raw_fd(), &raw mut taken) }?;
    Ok(taken)
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
