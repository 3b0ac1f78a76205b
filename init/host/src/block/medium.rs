//! Whether a drive still has its medium. The node of a drive stays when its medium goes.
#![allow(unsafe_code)]

use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::block::device::disk_of;

/// `CDROM_DRIVE_STATUS` of linux/cdrom.h, with the slot that is in use (`CDSL_CURRENT`).
const CDROM_DRIVE_STATUS: u16 = 0x5326;
const CURRENT_SLOT: i32 = i32::MAX;
/// Answers of [`CDROM_DRIVE_STATUS`].
const NO_DISC: i32 = 1;
const TRAY_OPEN: i32 = 2;

nix::ioctl_write_int_bad!(drive_status, CDROM_DRIVE_STATUS);

/// Whether the drive of `node` can lose its medium and keep its node: a CD drive, a card reader.
pub fn can_lose_medium(root: &Path, node: &Path) -> bool {
    disk_of(root, node).is_some_and(|disk| {
        let file = root.join("sys/class/block").join(disk).join("removable");
        std::fs::read_to_string(file).is_ok_and(|text| text.trim() == "1")
    })
}

/// Whether `node` is a CD drive.
pub fn is_cd(node: &Path) -> bool {
    node.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("sr"))
}

/// Whether the drive of `node` says that it has no medium. It can block on a drive that does not answer.
pub fn is_medium_gone(node: &Path) -> bool {
    let is_cd = is_cd(node);
    let mut flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    // Otherwise the kernel closes an open tray.
    flags.set(OFlag::O_NONBLOCK, is_cd);
    match open(node, flags, Mode::empty()) {
        Ok(drive) if is_cd => {
            // SAFETY: the request takes a number and writes nothing.
            let status = unsafe { drive_status(drive.as_raw_fd(), CURRENT_SLOT) };
            matches!(status, Ok(NO_DISC | TRAY_OPEN))
        }
        opened => opened.err() == Some(Errno::ENOMEDIUM),
    }
}

#[cfg(test)]
mod tests {
    use super::{can_lose_medium, is_medium_gone};
    use std::fs;
    use std::path::Path;

    #[test]
    fn a_removable_drive_can_lose_its_medium() {
        let root = tempfile::tempdir().unwrap();
        for (disk, text) in [("sr0", "1\n"), ("vda", "0\n")] {
            let folder = root.path().join("sys/class/block").join(disk);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("removable"), text).unwrap();
        }
        for (node, expected) in [("/dev/sr0", true), ("/dev/vda", false), ("/dev/sdx", false)] {
            assert_eq!(can_lose_medium(root.path(), Path::new(node)), expected);
        }
    }

    #[test]
    fn a_drive_that_gives_no_answer_keeps_its_medium() {
        let folder = tempfile::tempdir().unwrap();
        // Neither file is a drive.
        for name in ["sr0", "sda"] {
            fs::write(folder.path().join(name), "").unwrap();
            assert!(!is_medium_gone(&folder.path().join(name)));
        }
        assert!(!is_medium_gone(&folder.path().join("sdb")));
    }
}
