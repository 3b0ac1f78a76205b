//! The limit on machines that run at once. Two machines keep two CPUs busy; more machines slow each other until
//! deadlines fail. `PADDOCK_TEST_VMS` sets another limit.
//!
//! A permit is a locked file: test programs that run at the same time share the permits, and the kernel takes back the
//! permits of a killed program.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::harness::paths;
use crate::harness::wait::sleep_between_polls;

/// The right to run one machine.
#[derive(Debug)]
pub struct VmPermit {
    /// Closing it unlocks it.
    _file: File,
}

/// Waits for a permit. It has no deadline: other tests hold the permits, and they have deadlines.
pub fn acquire() -> Result<VmPermit> {
    let asked = std::env::var("PADDOCK_TEST_VMS")
        .ok()
        .and_then(|text| text.parse().ok());
    let dir = paths::artifacts().join("vm-permits");
    fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
    loop {
        if let Some(permit) = acquire_free(&dir, asked.unwrap_or(2).max(1))? {
            return Ok(permit);
        }
        sleep_between_polls(Duration::from_millis(200));
    }
}

fn acquire_free(dir: &Path, count: usize) -> Result<Option<VmPermit>> {
    for number in 0..count {
        let path = dir.join(number.to_string());
        let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        if file.try_lock().is_ok() {
            return Ok(Some(VmPermit { _file: file }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::acquire_free;

    #[test]
    fn there_are_as_many_as_are_given() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let first = acquire_free(dir, 2).unwrap();
        let second = acquire_free(dir, 2).unwrap();
        assert!(first.is_some() && second.is_some());
        assert!(acquire_free(dir, 2).unwrap().is_none());
        drop(first);
        assert!(acquire_free(dir, 2).unwrap().is_some());
    }
}
