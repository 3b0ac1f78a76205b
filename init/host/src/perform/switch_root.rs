//! The change from the initrd to the OS image.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};

const DEEPEST: usize = 16;

/// Makes the OS image, which is mounted at `new_root`, the root of this process.
pub(super) fn switch_root(new_root: &Path) -> Result<()> {
    nix::unistd::chdir(new_root).context("entering the OS image")?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>)
        .context("moving the OS image to /")?;
    nix::unistd::chroot(".").context("entering the OS image")?;
    nix::unistd::chdir("/").context("entering the OS image")
}

/// Deletes the initrd's files, which are memory; never leaves the initrd's own filesystem.
pub(super) fn free_initrd(folder: &Path) {
    free_folder(folder, 0);
}

fn free_folder(folder: &Path, depth: usize) {
    let Ok(folder_meta) = std::fs::symlink_metadata(folder) else {
        return;
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(meta) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        if meta.dev() != folder_meta.dev() {
            continue;
        }
        if meta.is_dir() {
            if depth < DEEPEST {
                free_folder(&path, depth + 1);
            }
        } else {
            // A netboot image stays alive through its loop device.
            let _ = std::fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::free_initrd;
    use std::fs;

    #[test]
    fn files_go_and_folders_stay() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::create_dir_all(dir.join("a/b")).unwrap();
        fs::write(dir.join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink("/", dir.join("a/link")).unwrap();
        free_initrd(dir);
        assert!(dir.join("a/b").is_dir());
        assert!(!dir.join("a/b/file").exists());
        assert!(dir.join("a/link").symlink_metadata().is_err());
    }
}
