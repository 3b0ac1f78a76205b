//! The deaths of User Docker's daemons. `ros user-docker` records each, and starts the daemon again; a switch of engines
//! and the check at boot read how many there were while they waited.
//!
//! The number never falls within a boot: neither a restart of the container nor another engine resets it. So a reader
//! compares two readings, and needs to know nothing about the containers between them.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use host::paths::DAEMON_DEATHS;
use os_config::atomic_file;
use serde_json::{Value, json};

/// Returns the number of deaths in this boot.
pub(crate) fn count() -> Result<u64> {
    count_in(Path::new(DAEMON_DEATHS))
}

/// Records the death of a daemon, and how it ended.
pub(crate) fn add(daemon: &str, how: &str) -> Result<()> {
    add_to(Path::new(DAEMON_DEATHS), daemon, how)
}

fn count_in(file: &Path) -> Result<u64> {
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        // Nothing has died yet.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error).with_context(|| format!("reading {}", file.display())),
    };
    let read: Value =
        serde_json::from_slice(&bytes).with_context(|| format!("reading {}", file.display()))?;
    let count = read.get("count").and_then(Value::as_u64);
    count.with_context(|| format!("{} has no count", file.display()))
}

fn add_to(file: &Path, daemon: &str, how: &str) -> Result<()> {
    // A damaged file begins again: the engine matters more than the number.
    let before = count_in(file).unwrap_or_default();
    let record = json!({"count": before.saturating_add(1), "daemon": daemon, "how": how});
    atomic_file::replace(file, record.to_string().as_bytes(), 0o644)
        .with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::{add_to, count_in};

    #[test]
    fn deaths_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deaths.json");
        assert_eq!(count_in(&file).unwrap(), 0);
        add_to(&file, "dockerd", "exit code 1").unwrap();
        add_to(&file, "containerd", "signal 9").unwrap();
        assert_eq!(count_in(&file).unwrap(), 2);
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(
            text,
            r#"{"count":2,"daemon":"containerd","how":"signal 9"}"#
        );
        std::fs::write(&file, "{").unwrap();
        assert!(count_in(&file).is_err());
        add_to(&file, "dockerd", "exit code 1").unwrap();
        assert_eq!(count_in(&file).unwrap(), 1);
    }
}
