//! Makes folders, files and links.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result};
use os_config::atomic_file;

/// Makes a folder with its parents; an existing folder keeps its mode.
pub(super) fn make_folder(path: &Path, mode: u32) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .create(path)
        .with_context(|| format!("making folder {}", path.display()))?;
    // The mode is set after the creation, because the umask would cut it.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .with_context(|| format!("setting the mode of {}", path.display()))
}

/// Makes `path` a link to `to`; a file or another link at its place is replaced.
pub(super) fn link(path: &Path, to: &Path) -> Result<()> {
    if fs::read_link(path).is_ok_and(|found| found == to) {
        return Ok(());
    }
    if path.is_symlink() || path.is_file() {
        fs::remove_file(path).with_context(|| format!("replacing {}", path.display()))?;
    }
    if let Some(parent) = path.parent() {
        make_folder(parent, 0o755)?;
    }
    symlink(to, path).with_context(|| format!("linking {} to {}", path.display(), to.display()))
}

/// Replaces a file as a whole; a file with the same content is left alone.
pub(super) fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    if fs::read(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    atomic_file::replace(path, content, mode).with_context(|| format!("writing {}", path.display()))
}

/// Writes a file that must exist; an existing file is left alone.
pub(super) fn write_if_missing(path: &Path, content: &[u8]) -> Result<()> {
    if path.exists() {
        Ok(())
    } else {
        write(path, content, 0o644)
    }
}

/// Hands a line to the kernel through a file of `/proc` or `/sys`.
pub(super) fn tell_kernel(path: &Path, content: &str) -> Result<()> {
    // No file of a disk.
    fs::write(path, content)
        .with_context(|| format!("writing {:?} to {}", content.trim_end(), path.display()))
}

#[cfg(test)]
mod tests {
    use super::{link, write};
    use std::fs;

    #[test]
    fn files_and_links_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::create_dir_all(dir.join("sub")).unwrap();
        write(&dir.join("sub/a"), b"new", 0o600).unwrap();
        write(&dir.join("sub/a"), b"newer", 0o600).unwrap();
        link(&dir.join("l"), "sub".as_ref()).unwrap();
        link(&dir.join("l"), "sub/a".as_ref()).unwrap();
        assert_eq!(fs::read_to_string(dir.join("sub/a")).unwrap(), "newer");
        assert_eq!(
            fs::read_link(dir.join("l")).unwrap(),
            std::path::Path::new("sub/a")
        );
    }
}
