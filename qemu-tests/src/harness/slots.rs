//! How many machines run at once. Two keep two CPUs busy; more only slow each
//! other until deadlines fail. `PADDOCK_TEST_VMS` says otherwise.
//!
//! A slot is a locked file, so that test programs that run at the same time
//! share them, and one that is killed leaves none taken.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::harness::artifacts;
use crate::harness::wait::pause;

/// The right to run one machine.
#[derive(Debug)]
pub struct Slot {
    /// Unlocked when it is closed.
    _file: File,
}

/// Waits for that right. Without a deadline: what is waited for is the end of
/// other tests, and each of them has its own deadlines.
pub fn take() -> Result<Slot> {
    let asked = std::env::var("PADDOCK_TEST_VMS")
        .ok()
        .and_then(|text| text.parse().ok());
    let dir = artifacts::root().join("slots");
    fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    loop {
        if let Some(slot) = take_free(&dir, asked.unwrap_or(2).max(1))? {
            return Ok(slot);
        }
        pause(Duration::from_millis(200));
    }
}

fn take_free(dir: &Path, count: usize) -> Result<Option<Slot>> {
    for number in 0..count {
        let path = dir.join(number.to_string());
        let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        if file.try_lock().is_ok() {
            return Ok(Some(Slot { _file: file }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::take_free;

    #[test]
    fn there_are_as_many_as_are_given() {
        let dir = std::env::temp_dir().join(format!("slots-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let first = take_free(&dir, 2).unwrap();
        let second = take_free(&dir, 2).unwrap();
        assert!(first.is_some() && second.is_some());
        assert!(take_free(&dir, 2).unwrap().is_none());
        drop(first);
        assert!(take_free(&dir, 2).unwrap().is_some());
        std::fs::remove_dir_all(dir).unwrap();
    }
}
