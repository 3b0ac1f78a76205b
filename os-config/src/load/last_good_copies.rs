//! Copies of the user's files from the last time that they had no error. A copy replaces a file that a power failure or
//! a typing error made unreadable.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::atomic_file;
use crate::bounded_file;
use crate::diagnostic::Diagnostic;
use crate::load::files::{CONF, user_files};
use crate::validate;

/// Below `conf/`; the copies have the files' own paths below it.
const FOLDER: &str = "last-good";

/// Keeps a copy of every user's file without an error.
pub fn save_last_good(root: &Path) {
    let conf = root.join(CONF);
    for file in user_files(&conf) {
        let Some(Ok(bytes)) = bounded_file::read(&conf.join(&file)) else {
            continue;
        };
        let problems = validate::validate(&bytes, "");
        if !problems.iter().any(Diagnostic::is_error) {
            // A failure costs the copy only; loading reports it when it needs the copy.
            let _ = keep(&conf, &file, &bytes);
        }
    }
}

/// The copy of a file, if there is one.
pub(crate) fn read(conf: &Path, relative: &Path) -> Option<Vec<u8>> {
    let path = path_of(conf, relative);
    // A folder or a pipe is no copy.
    fs::symlink_metadata(&path)
        .ok()
        .filter(fs::Metadata::is_file)?;
    fs::read(path).ok()
}

/// Keeps a copy, unless the kept copy is equal.
fn keep(conf: &Path, relative: &Path, content: &[u8]) -> io::Result<()> {
    if read(conf, relative).is_some_and(|known| known == content) {
        return Ok(());
    }
    let path = path_of(conf, relative);
    let folder = path.parent().unwrap_or(conf);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    // Only root may read keys and passwords of configurations.
    atomic_file::replace(&path, content, 0o600)
}

fn path_of(conf: &Path, relative: &Path) -> PathBuf {
    conf.join(FOLDER).join(relative)
}
