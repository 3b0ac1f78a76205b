//! Mounts filesystems, binds folders, shares and moves mounts.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount as kernel_mount};
use sys_mount::{FilesystemType, Mount, MountFlags};

use crate::perform::files;
use crate::proc::mount_table;

/// Mounts a filesystem; a mount of the same type on the target is left alone.
pub(super) fn mount(source: &str, target: &Path, fstype: &str, options: &str) -> Result<()> {
    if mounted_type(target).as_deref() == Some(fstype) {
        return Ok(());
    }
    if !target.is_dir() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(target)
            .with_context(|| format!("making mount point {}", target.display()))?;
    }
    let (flags, data) = mount_options(options);
    Mount::builder()
        .fstype(FilesystemType::Manual(fstype))
        .flags(flags)
        .data(&data)
        .mount(source, target)
        .map(drop)
        .with_context(|| format!("mounting {source} on {} as {fstype}", target.display()))
}

/// Splits mount(8)'s options into the kernel's flags and the filesystem's own options.
fn mount_options(options: &str) -> (MountFlags, String) {
    let mut flags = MountFlags::empty();
    let mut data = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => flags |= MountFlags::RDONLY,
            "nosuid" => flags |= MountFlags::NOSUID,
            "nodev" => flags |= MountFlags::NODEV,
            "noexec" => flags |= MountFlags::NOEXEC,
            "noatime" => flags |= MountFlags::NOATIME,
            "relatime" => flags |= MountFlags::RELATIME,
            other => data.push(other),
        }
    }
    (flags, data.join(","))
}

fn mounted_type(target: &Path) -> Option<String> {
    // There is no table before /proc is mounted.
    let mounts = mount_table::read(Path::new(mount_table::THIS_PROCESS)).ok()?;
    mount_table::find(&mounts, target).map(|mount| mount.fstype.clone())
}

/// Shows a folder at a second place.
pub(super) fn bind(source: &Path, target: &Path) -> Result<()> {
    files::make_folder(target, 0o755)?;
    Mount::builder()
        .flags(MountFlags::BIND)
        .mount(source, target)
        .map(drop)
        .with_context(|| format!("binding {} on {}", source.display(), target.display()))
}

/// Lets no program of a bind mount run with the rights of its owner, and no device node of it be opened.
pub(super) fn restrict(target: &Path) -> Result<()> {
    // A remount without a flag of times keeps those that the mount has.
    kernel_mount(
        None::<&str>,
        target,
        None::<&str>,
        MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        None::<&str>,
    )
    .with_context(|| format!("restricting {}", target.display()))
}

/// Lets containers see mounts that come later below the target.
pub(super) fn share(target: &Path) -> Result<()> {
    // The builder of sys-mount has no kind of mount for propagation.
    kernel_mount(
        None::<&str>,
        target,
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_SHARED,
        None::<&str>,
    )
    .with_context(|| format!("sharing mounts below {}", target.display()))
}

/// Moves a mount to the folder `target`.
pub(super) fn move_mount(source: &Path, target: &Path) -> Result<()> {
    kernel_mount(
        Some(source),
        target,
        None::<&str>,
        MsFlags::MS_MOVE,
        None::<&str>,
    )
    .with_context(|| format!("moving {}", source.display()))
}

#[cfg(test)]
mod tests {
    use super::mount_options;
    use sys_mount::MountFlags;

    #[test]
    fn options_are_split() {
        let (flags, data) = mount_options("nosuid,mode=0755,ro,size=10%");
        assert_eq!(flags, MountFlags::NOSUID | MountFlags::RDONLY);
        assert_eq!(data, "mode=0755,size=10%");
    }
}
