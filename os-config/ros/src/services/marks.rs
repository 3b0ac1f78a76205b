//! Marks of a service in this boot, as files in memory: it has run to its end, or an operator stopped it.

use std::path::{Path, PathBuf};

/// A file for each service that has run to its end in this boot.
const DONE: &str = "/run/ros/done";
/// A file for each service that an operator stopped in this boot.
const STOPPED: &str = "/run/ros/stopped";

/// The marks of a service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    /// The service has run to its end in this boot.
    pub(crate) done: bool,
    /// An operator stopped the service in this boot.
    pub(crate) stopped: bool,
}

impl Marks {
    /// Reads the marks of the service `name`.
    pub(crate) fn read(name: &str) -> Self {
        Self {
            done: file(DONE, name).exists(),
            stopped: file(STOPPED, name).exists(),
        }
    }
}

/// Marks that a service has run to its end.
pub(crate) fn set_done(name: &str) {
    set(DONE, name);
}

/// Marks that an operator stopped a service, or clears that mark.
pub(crate) fn set_stopped(name: &str, stopped: bool) {
    if stopped {
        set(STOPPED, name);
    } else {
        clear(STOPPED, name);
    }
}

/// Clears both marks of a service.
pub(crate) fn clear_all(name: &str) {
    clear(STOPPED, name);
    clear(DONE, name);
}

fn set(folder: &str, name: &str) {
    let file = file(folder, name);
    let _ = std::fs::create_dir_all(folder);
    if let Err(error) = std::fs::write(&file, "") {
        eprintln!("ros sysinit: writing {}: {error}", file.display());
    }
}

fn clear(folder: &str, name: &str) {
    let _ = std::fs::remove_file(file(folder, name));
}

fn file(folder: &str, name: &str) -> PathBuf {
    Path::new(folder).join(name.replace('/', "_"))
}
