//! Randomness: the kernel begins to gather it by itself only when somebody waits for it, and then takes
//! a second or two on a machine without a generator of its own (measured: System Docker, the first to
//! wait, answered 2 s later for it).

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

/// Makes the kernel begin now, in a process of its own: the waiting is what makes it work.
pub fn begin() {
    let child = Command::new("/proc/self/exe")
        .arg("gather-entropy")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = child {
        log::warn!("gathering randomness: {error}");
    }
}

/// Waits until the kernel's generator is ready.
pub fn gather() {
    let mut byte = [0];
    let read = File::open("/dev/random").and_then(|mut file| file.read_exact(&mut byte));
    if let Err(error) = read {
        log::warn!("reading /dev/random: {error}");
    }
}
