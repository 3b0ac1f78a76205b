//! The console and the engine that did not answer when they were tried last. The next boot does not try them again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use os_config::{Switchable, atomic_file};

/// Holds the name of the failed console or engine; survives a reboot.
fn file(switchable: Switchable) -> PathBuf {
    PathBuf::from(format!(
        "/var/lib/rancher/failed-{}",
        switchable.display_name()
    ))
}

/// Whether the console or engine of this name did not answer when it was tried last.
pub(crate) fn has_failed(switchable: Switchable, name: &str) -> bool {
    fs::read_to_string(file(switchable)).is_ok_and(|failed| failed == name)
}

/// Notes that a console or engine did not answer.
pub(super) fn note(switchable: Switchable, name: &str) {
    let file = file(switchable);
    report(atomic_file::replace(&file, name.as_bytes(), 0o644), &file);
}

/// Forgets the failed console or engine.
pub(super) fn clear(switchable: Switchable) {
    let file = file(switchable);
    if file.exists() {
        report(fs::remove_file(&file), &file);
    }
}

/// Forgets the failure of the chosen console or engine, which runs, and clears the problems about it.
pub(super) fn clear_after_success(switchable: Switchable) {
    clear(switchable);
    host::problems::clear(&format!("{} ", switchable.display_name()));
}

fn report(result: std::io::Result<()>, file: &Path) {
    if let Err(error) = result.with_context(|| format!("writing {}", file.display())) {
        host::problems::report(&format!("{error:#}"));
    }
}
