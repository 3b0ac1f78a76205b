//! A lock for the slot table: whoever changes the table reads it, and nobody else may write it in between.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::paths::SLOT_TABLE_LOCK;

/// A change of the table takes two writes of a KiB.
const TIMEOUT: Duration = Duration::from_secs(20);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The right to change the table; the death of its holder gives it back too.
#[derive(Debug)]
pub struct TableLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl TableLock {
    /// Waits until no other process changes the table, at most 20 s.
    pub fn wait() -> Result<Self> {
        Self::wait_for(Path::new(SLOT_TABLE_LOCK), TIMEOUT)
    }

    fn wait_for(path: &Path, limit: Duration) -> Result<Self> {
        let locking = || format!("locking {}", path.display());
        let mut options = OpenOptions::new();
        let options = options.create(true).truncate(false).write(true);
        let file = options.open(path).with_context(locking)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(error)) => return Err(error).with_context(locking),
                Err(TryLockError::WouldBlock) if began.elapsed() < limit => sleep(POLL_INTERVAL),
                Err(TryLockError::WouldBlock) => {
                    bail!("another program changes the slots (hint: try it again)")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::TableLock;

    #[test]
    fn two_programs_do_not_change_the_table_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let limit = Duration::from_millis(100);
        let first = TableLock::wait_for(&path, limit).unwrap();
        let error = TableLock::wait_for(&path, limit).unwrap_err().to_string();
        assert!(
            error.starts_with("another program changes the slots"),
            "{error}"
        );
        drop(first);
        TableLock::wait_for(&path, limit).unwrap();
    }
}
