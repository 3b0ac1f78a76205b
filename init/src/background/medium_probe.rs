//! The probe of the drive with the OS image: a CD that is ejected by force leaves its drive behind, and the kernel says
//! nothing about it.

use std::path::{Path, PathBuf};

use host::block;
use host::paths::{MEDIUM, OS_IMAGE, SLOT};
use host::proc::mount_table::{self, MountPoint};

/// The exit code if the drive has no medium.
pub(crate) const GONE: u8 = 4;

/// Asks the drive and returns the exit code.
pub(super) fn run() -> u8 {
    if node().is_some_and(|node| block::is_medium_gone(&node)) {
        GONE
    } else {
        0
    }
}

/// The device of the OS image: of the filesystem with its file, or its own. `None` if the image is in memory.
pub(crate) fn node() -> Option<PathBuf> {
    node_in(&mount_table::read(Path::new(mount_table::THIS_PROCESS)).ok()?)
}

fn node_in(mounts: &[MountPoint]) -> Option<PathBuf> {
    let found = [MEDIUM, SLOT, OS_IMAGE]
        .into_iter()
        .find_map(|target| mount_table::find(mounts, Path::new(target)))?;
    // A device that checks another one's blocks stands above a loop device.
    let is_in_memory = found.source.file_name().is_some_and(|name| {
        let name = name.to_string_lossy();
        name.starts_with("loop") || name.starts_with("dm-")
    });
    (found.source.starts_with("/dev") && !is_in_memory).then(|| found.source.clone())
}

#[cfg(test)]
mod tests {
    use super::node_in;
    use host::proc::mount_table;
    use std::path::PathBuf;

    #[test]
    fn the_medium_is_the_device_below_the_image() {
        for (table, expected) in [
            (
                "1 0 8:17 / /run/ros/medium ro - iso9660 /dev/sdb1 ro\n\
                 2 1 7:0 / /run/ros/os-image ro - squashfs /dev/loop0 ro\n",
                Some("/dev/sdb1"),
            ),
            (
                "1 0 8:3 / /run/ros/slot ro - ext4 /dev/sda3 ro\n\
                 2 1 7:0 / /run/ros/os-image ro - squashfs /dev/loop0 ro\n",
                Some("/dev/sda3"),
            ),
            (
                "1 0 8:2 / /run/ros/os-image ro - squashfs /dev/sda2 ro\n",
                Some("/dev/sda2"),
            ),
            (
                "1 0 7:0 / /run/ros/os-image ro - squashfs /dev/loop0 ro\n",
                None,
            ),
            (
                "1 0 254:0 / /run/ros/os-image ro - squashfs /dev/dm-0 ro\n",
                None,
            ),
            ("", None),
        ] {
            let mounts = mount_table::parse(table.as_bytes());
            assert_eq!(node_in(&mounts), expected.map(PathBuf::from), "{table}");
        }
    }
}
