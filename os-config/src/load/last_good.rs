//! Copies of the configuration files that were last read without an error; they stand in for a file that
//! a power cut or a typing error made unreadable.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::atomic_file;
use crate::bounded_file;
use crate::diagnostic::Diagnostic;
use crate::load::files::{CONF, user_files};
use crate::validate;

/// Below `conf/`, with the files under the names they have there.
const FOLDER: &str = "last-good";

/// Keeps a copy of every user's file that has no error, for the day when it cannot be read.
pub fn remember_good(root: &Path) {
    let conf = root.join(CONF);
    for file in user_files(&conf) {
        let Some(Ok(bytes)) = bounded_file::read(&conf.join(&file)) else {
            continue;
        };
        let problems = validate::validate(&bytes, "");
        if !problems.iter().any(Diagnostic::is_error) {
            // What cannot be kept is only missing later, and that is said then.
            let _ = keep(&conf, &file, &bytes);
        }
    }
}

/// The copy of a file, if there is one.
pub(crate) fn read(conf: &Path, relative: &Path) -> Option<Vec<u8>> {
    let path = path_of(conf, relative);
    // A folder or a pipe of that name is none of ours.
    fs::symlink_metadata(&path)
        .ok()
        .filter(fs::Metadata::is_file)?;
    fs::read(path).ok()
}

/// Keeps a copy; a copy that is the same already is not written again.
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
    // Configurations hold keys and passwords.
    atomic_file::replace(&path, content, 0o600)
}

fn path_of(conf: &Path, relative: &Path) -> PathBuf {
    conf.join(FOLDER).join(relative)
}
