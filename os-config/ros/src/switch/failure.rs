//! The console and the engine that did not answer when they were tried last. The next boot does not try them again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use host::paths::FAILED_PREFIX;
use host::problems::{self, ProblemRecord};
use os_config::{Switchable, atomic_file};

/// Holds the name of the failed console or engine; survives a reboot.
fn file(switchable: Switchable) -> PathBuf {
    PathBuf::from(format!("{FAILED_PREFIX}{}", switchable.display_name()))
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
    problems::clear(&problem_id(switchable));
}

/// A problem with the chosen console or engine. It is solved when a switch succeeds.
pub(crate) fn problem(switchable: Switchable, text: String) -> ProblemRecord {
    ProblemRecord::error(problem_id(switchable), switchable.display_name(), text)
}

fn problem_id(switchable: Switchable) -> String {
    format!("switch.{}", switchable.display_name())
}

fn report(result: std::io::Result<()>, file: &Path) {
    if let Err(error) = result.with_context(|| format!("writing {}", file.display())) {
        let source = file.display().to_string();
        problems::report(&ProblemRecord::error(
            "switch.failure-file",
            source,
            format!("{error:#}"),
        ));
    }
}
