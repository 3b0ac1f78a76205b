//! Copies of the configuration files that were last read without an error; they stand in for a file that
//! a power cut or a typing error made unreadable.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::atomic_file;

/// Below `conf/`, with the files under the names they have there.
const FOLDER: &str = "last-good";

fn path_of(conf: &Path, relative: &Path) -> PathBuf {
    conf.join(FOLDER).join(relative)
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
pub(crate) fn keep(conf: &Path, relative: &Path, content: &[u8]) -> io::Result<()> {
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
