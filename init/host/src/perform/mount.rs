//! Mounts filesystems, binds folders, shares and moves mounts. A device that does not answer keeps the kernel waiting for
//! ever in a mount, so mounts of devices have a limit.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::mount::{MsFlags, mount as kernel_mount};
use sys_mount::{FilesystemType, Mount, MountFlags};

use crate::perform::{files, unmount};
use crate::proc::mount_table;
use crate::process::deadline;
use crate::step::{Step, folder_of};

/// The folder of mounts on their way to their targets.
const STAGING: &str = "/run/ros/mounting";

/// Mounts a filesystem; a mount of the same type on the target is left alone.
pub(super) fn mount(source: &str, target: &Path, fstype: &str, options: &str) -> Result<()> {
    if mounted_type(target).as_deref() == Some(fstype) {
        return Ok(());
    }
    make_target(target)?;
    let (flags, data) = mount_options(options);
    Mount::builder()
        .fstype(FilesystemType::Manual(fstype))
        .flags(flags)
        .data(&data)
        .mount(source, target)
        .map(drop)
        .with_context(|| format!("mounting {source} on {} as {fstype}", target.display()))
}

/// Performs a step that mounts a device; an error after `limit`. A mount that comes later is taken away again.
pub fn mount_within(limit: Duration, step: &Step) -> Result<()> {
    let Step::Mount { target, .. } = step else {
        bail!("{step}: it is no mount");
    };
    mount_on(limit, step, target)
}

/// Like [`mount_within`], by a folder beside the target: a mount that comes late must not cover the filesystem that has
/// taken its place. Later boot phases share all mounts, and the kernel moves no shared mount.
pub fn mount_and_move(limit: Duration, step: &Step) -> Result<()> {
    let Step::Mount { source, target, .. } = step else {
        bail!("{step}: it is no mount");
    };
    let staging = folder_of(STAGING, source);
    mount_on(limit, step, &staging)?;
    make_target(target)
        .and_then(|()| move_mount(&staging, target))
        .inspect_err(|_| unmount::try_unmount(&staging))
}

fn mount_on(limit: Duration, step: &Step, target: &Path) -> Result<()> {
    let Step::Mount {
        source,
        fstype,
        options,
        ..
    } = step.clone()
    else {
        return Ok(());
    };
    let (name, target, late) = (step.to_string(), target.to_owned(), target.to_owned());
    let work = move || mount(&source, &target, &fstype, &options);
    deadline::run(limit, &name, work, move |()| unmount::try_unmount(&late))
}

/// Makes the folder of a mount if it is missing.
fn make_target(target: &Path) -> Result<()> {
    if target.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(target)
        .with_context(|| format!("making mount point {}", target.display()))
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
    use super::{mount_and_move, mount_options, mount_within};
    use crate::step::Step;
    use std::time::Duration;
    use sys_mount::MountFlags;

    #[test]
    fn options_are_split() {
        let (flags, data) = mount_options("nosuid,mode=0755,ro,size=10%");
        assert_eq!(flags, MountFlags::NOSUID | MountFlags::RDONLY);
        assert_eq!(data, "mode=0755,size=10%");
    }

    #[test]
    fn other_steps_are_no_mounts() {
        for mounted in [mount_within, mount_and_move] {
            let error = mounted(Duration::ZERO, &Step::LoopbackUp).unwrap_err();
            assert_eq!(error.to_string(), "loopback up: it is no mount");
        }
    }
}
