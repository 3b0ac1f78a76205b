//! Makes folders, files and links, and empties folders.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use os_config::{atomic_file, bounded_file};

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

/// Makes `path` a link to `to`; a file or another link at its place is replaced. A folder at its place, as on another
/// system's disk, is renamed: it may hold data.
pub(super) fn link(path: &Path, to: &Path) -> Result<()> {
    if fs::read_link(path).is_ok_and(|found| found == to) {
        return Ok(());
    }
    if path.is_symlink() || path.is_file() {
        fs::remove_file(path).with_context(|| format!("replacing {}", path.display()))?;
    } else if path.is_dir() {
        let aside = free_name_beside(path);
        fs::rename(path, &aside).with_context(|| format!("renaming {}", path.display()))?;
        log::warn!("{} is called {} now", path.display(), aside.display());
    }
    if let Some(parent) = path.parent() {
        make_folder(parent, 0o755)?;
    }
    symlink(to, path).with_context(|| format!("linking {} to {}", path.display(), to.display()))
}

/// `NAME.old`, or `NAME.old1` and so on if that is there.
fn free_name_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let numbers = std::iter::once(String::new()).chain((1..).map(|number: u32| number.to_string()));
    let mut names = numbers.map(|number| path.with_file_name(format!("{name}.old{number}")));
    names
        .find(|other| other.symlink_metadata().is_err())
        .unwrap_or_else(|| path.to_owned())
}

/// Replaces a file as a whole; a file with the same content is left alone.
pub(super) fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    if bounded_file::bytes(path).is_ok_and(|found| found == content) {
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

/// Writes `content` into a kernel's file, or does nothing if this kernel has no such file.
pub(super) fn tell_kernel_if_present(path: &Path, content: &str) -> Result<()> {
    if path.exists() {
        return tell_kernel(path, content);
    }
    Ok(())
}

/// Removes everything below `folder` but `kept` and what is in it. A link is removed, and never followed. A file that
/// cannot be removed, such as an immutable one, does not keep the others.
///
/// # Errors
///
/// The first of what could not be removed.
pub(super) fn empty(folder: &Path, kept: &[PathBuf]) -> Result<()> {
    let reading = || format!("reading {}", folder.display());
    let mut failure = None;
    for entry in fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let path = entry.path();
        if kept.contains(&path) {
            continue;
        }
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let holds_kept = kept.iter().any(|kept| kept.starts_with(&path));
        let removed = match (is_folder, holds_kept) {
            (true, true) => empty(&path, kept),
            (true, false) => empty(&path, kept).and_then(|()| {
                fs::remove_dir(&path).with_context(|| format!("removing {}", path.display()))
            }),
            (false, _) => {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
            }
        };
        if let Err(error) = removed {
            failure.get_or_insert(error);
        }
    }
    failure.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::{empty, link, tell_kernel_if_present, write};
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_setting_that_the_kernel_lacks_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let (present, absent) = (folder.path().join("present"), folder.path().join("absent"));
        fs::write(&present, "0").unwrap();
        tell_kernel_if_present(&present, "1").unwrap();
        tell_kernel_if_present(&absent, "1").unwrap();
        assert_eq!(fs::read_to_string(&present).unwrap(), "1");
        assert!(!absent.exists());
    }

    #[test]
    fn a_folder_at_the_place_of_a_link_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        for other in ["run.old", "run.old1"] {
            fs::create_dir(dir.join("run")).unwrap();
            fs::write(dir.join("run/pid"), "1").unwrap();
            link(&dir.join("run"), "../run".as_ref()).unwrap();
            assert!(dir.join("run").is_symlink());
            assert!(dir.join(other).join("pid").exists(), "{other}");
            fs::remove_file(dir.join("run")).unwrap();
        }
    }

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

    #[test]
    fn what_is_kept_stays_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("mine"), "").unwrap();
        let state = folder.path();
        for name in [
            "home/rancher/file",
            "var/lib/rancher/reset",
            "var/log/x",
            "var/lib/docker/y",
        ] {
            fs::create_dir_all(state.join(name).parent().unwrap()).unwrap();
            fs::write(state.join(name), "").unwrap();
        }
        symlink(outside.path(), state.join("var/link")).unwrap();
        let kept = ["home", "var/lib/rancher/reset"].map(|name| state.join(name));
        empty(state, &kept).unwrap();
        for (name, is_kept) in [
            ("home/rancher/file", true),
            ("var/lib/rancher/reset", true),
            ("var/log", false),
            ("var/lib/docker", false),
            ("var/link", false),
        ] {
            assert_eq!(
                state.join(name).symlink_metadata().is_ok(),
                is_kept,
                "{name}"
            );
        }
        assert!(outside.path().join("mine").exists());
    }
}
