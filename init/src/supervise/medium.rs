//! The medium with the OS image. A machine whose medium is pulled loses every program that is not in memory, so it goes
//! down while it still can.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::paths::{MEDIUM, OS_IMAGE};
use host::proc::mount_table::{self, MountPoint};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::mman::{MlockAllFlags, mlockall};

/// Of linux/mman.h; nix does not have it.
const MCL_ONFAULT: i32 = 4;

/// The node of the medium, which goes away with it.
#[derive(Debug)]
pub(crate) struct Medium {
    node: PathBuf,
    inotify: Inotify,
}

impl Medium {
    /// Watches the medium; `None` if the OS image is in memory.
    pub(crate) fn watch() -> Option<Self> {
        let mounts = mount_table::read(Path::new(mount_table::THIS_PROCESS)).ok()?;
        let node = node(&mounts)?;
        Self::watch_node(node)
            .inspect_err(|error| log::warn!("{error:#}"))
            .ok()
    }

    fn watch_node(node: PathBuf) -> Result<Self> {
        let folder = node.parent().unwrap_or(Path::new("/dev"));
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        let inotify = Inotify::init(flags).context("opening inotify")?;
        inotify
            .add_watch(folder, AddWatchFlags::IN_DELETE)
            .with_context(|| format!("watching {}", folder.display()))?;
        Ok(Self { node, inotify })
    }

    /// Returns the node if the medium has gone since the last call.
    pub(crate) fn take_gone(&self) -> Option<&Path> {
        let events = self.inotify.read_events().ok()?;
        let name = self.node.file_name()?;
        let is_deleted = events
            .iter()
            .any(|event| event.name.as_deref() == Some(name));
        is_deleted.then_some(&self.node)
    }
}

impl AsFd for Medium {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// The device of the OS image: of the filesystem with its file, or its own.
fn node(mounts: &[MountPoint]) -> Option<PathBuf> {
    let found = [MEDIUM, OS_IMAGE]
        .into_iter()
        .find_map(|target| mount_table::find(mounts, Path::new(target)))?;
    let is_on_device = found.source.starts_with("/dev") && !found.source.starts_with("/dev/loop");
    let is_loop = found
        .source
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("loop"));
    (is_on_device && !is_loop).then(|| found.source.clone())
}

/// Keeps PID 1 in memory: the kernel panics when a page of PID 1 is to be read from a medium that is gone. Memory that
/// comes later is locked as it is used, because stacks of threads are large and mostly empty.
pub(crate) fn lock_memory() {
    let on_use = MlockAllFlags::MCL_FUTURE | MlockAllFlags::from_bits_retain(MCL_ONFAULT);
    let locked = mlockall(MlockAllFlags::MCL_CURRENT).and_then(|()| mlockall(on_use));
    if let Err(error) = locked {
        log::warn!("keeping PID 1 in memory: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::{Medium, node};
    use host::proc::mount_table;
    use std::fs;
    use std::path::{Path, PathBuf};

    #[test]
    fn the_medium_is_the_device_below_the_image() {
        for (table, expected) in [
            (
                "1 0 8:17 / /run/ros/medium ro - iso9660 /dev/sdb1 ro\n\
                 2 1 7:0 / /run/ros/os-image ro - squashfs /dev/loop0 ro\n",
                Some("/dev/sdb1"),
            ),
            (
                "1 0 8:2 / /run/ros/os-image ro - squashfs /dev/sda2 ro\n",
                Some("/dev/sda2"),
            ),
            (
                "1 0 7:0 / /run/ros/os-image ro - squashfs /dev/loop0 ro\n",
                None,
            ),
            ("", None),
        ] {
            let mounts = mount_table::parse(table.as_bytes());
            assert_eq!(node(&mounts), expected.map(PathBuf::from), "{table}");
        }
    }

    #[test]
    fn the_end_of_its_node_is_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for name in ["sdb", "sdb1"] {
            fs::write(file(name), "").unwrap();
        }
        let medium = Medium::watch_node(file("sdb1")).unwrap();
        fs::remove_file(file("sdb")).unwrap();
        assert_eq!(medium.take_gone(), None);
        fs::remove_file(file("sdb1")).unwrap();
        assert_eq!(medium.take_gone(), Some(Path::new(&file("sdb1"))));
        assert_eq!(medium.take_gone(), None);
    }
}
