//! Marks of a service in this boot, as files in memory: it has run to its end, or an operator stopped it.

use std::path::{Path, PathBuf};

use host::paths::{DONE_SERVICES, STOPPED_SERVICES};

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
            done: file(DONE_SERVICES, name).exists(),
            stopped: file(STOPPED_SERVICES, name).exists(),
        }
    }
}

/// Marks that a service has run to its end.
pub(crate) fn set_done(name: &str) {
    set(DONE_SERVICES, name);
}

/// Marks that an operator stopped a service, or clears that mark.
pub(crate) fn set_stopped(name: &str, stopped: bool) {
    if stopped {
        set(STOPPED_SERVICES, name);
    } else {
        clear(STOPPED_SERVICES, name);
    }
}

/// Clears both marks of a service.
pub(crate) fn clear_marks(name: &str) {
    clear(STOPPED_SERVICES, name);
    clear(DONE_SERVICES, name);
}

fn set(folder: &str, name: &str) {
    let file = file(folder, name);
    let _ = std::fs::create_dir_all(folder);
    // The file is in memory.
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
