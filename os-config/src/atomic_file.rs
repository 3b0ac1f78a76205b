//! Replaces files so that after a power failure either the old or the new version is there, always whole.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Replaces `path` by a file with this content and mode. Makes the folder if it is missing.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    AtomicFile::write(path, content, mode)?.persist()
}

/// A new version beside the file that it will replace. A dropped value leaves the file as it is.
#[derive(Debug)]
pub struct AtomicFile {
    temporary: PathBuf,
    path: PathBuf,
}

impl AtomicFile {
    /// Writes the new version to disk. Only its owner can read it before it has its mode.
    pub fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        fs::create_dir_all(folder_of(path))?;
        let temporary = path.with_file_name(format!(".{}.new", name.to_string_lossy()));
        // A power failure may have left an unfinished file.
        let _ = fs::remove_file(&temporary);
        let mut file = fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)?;
        let unfinished = Self {
            temporary,
            path: path.to_owned(),
        };
        file.write_all(content)?;
        // The umask must not change the mode.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        Ok(unfinished)
    }

    /// The path of the new version, for a caller that changes its owner.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Replaces the file, and syncs its folder to disk.
    pub fn persist(self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)?;
        fs::File::open(folder_of(&self.path))?.sync_all()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        // After `persist` it is gone already.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{AtomicFile, replace};

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = std::env::temp_dir().join(format!("whole-file-{}", std::process::id()));
        let path = folder.join("below/file.yml");
        replace(&path, b"old", 0o644).unwrap();
        drop(AtomicFile::write(&path, b"half", 0o600).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        // A file that a power failure left behind does no harm.
        std::fs::write(folder.join("below/.file.yml.new"), "rest").unwrap();
        replace(&path, b"new", 0o4755).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
        let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((mode, left), (0o4755, 1));
    }

    #[test]
    fn a_path_without_a_name_is_refused() {
        assert!(replace(std::path::Path::new("/"), b"", 0o644).is_err());
    }
}
