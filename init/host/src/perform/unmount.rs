//! Unmounts a single target, or everything before the machine goes down.

use std::path::Path;

use nix::mount::{MntFlags, MsFlags};

use crate::proc::mount_table::{self, MountPoint};

/// Unmounts `target`; ignores errors.
pub fn try_unmount(target: &Path) {
    let _ = nix::mount::umount(target);
}

/// Unmounts `folder` and what is mounted below it, latest mount first. A mount that is in use goes when its use ends.
pub fn detach_below(folder: &Path) {
    let mounts = mount_table::read(Path::new(mount_table::THIS_PROCESS)).unwrap_or_default();
    let below = mounts.iter().rev().map(|mount| mount.target.as_path());
    for target in below.filter(|target| target.starts_with(folder)) {
        let flags = MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW;
        let _ = nix::mount::umount2(target, flags);
    }
}

/// Syncs and unmounts, latest mount first; a busy filesystem is made read-only.
pub fn unmount_all() {
    nix::unistd::sync();
    let mounts = mount_table::read(Path::new(mount_table::THIS_PROCESS)).unwrap_or_default();
    let order = unmount_order(&mounts);
    // A filesystem that another namespace still has mounted stays as it is after its last mount here. So it is made
    // read-only, and thus clean, while it has a mount here.
    for mount in order.iter().filter(|mount| is_on_disk(mount)) {
        remount_read_only(&mount.target);
    }
    for mount in order {
        if nix::mount::umount2(&mount.target, MntFlags::UMOUNT_NOFOLLOW).is_err() {
            remount_read_only(&mount.target);
        }
    }
    nix::unistd::sync();
}

fn remount_read_only(target: &Path) {
    let _ = nix::mount::mount(
        None::<&str>,
        target,
        None::<&str>,
        MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY,
        None::<&str>,
    );
}

fn is_on_disk(mount: &MountPoint) -> bool {
    mount.source.starts_with("/dev")
}

/// Mount points in reverse order, without the kernel's own filesystems and the root.
fn unmount_order(mounts: &[MountPoint]) -> Vec<&MountPoint> {
    let kept = ["/proc", "/sys", "/dev", "/run"];
    mounts
        .iter()
        .rev()
        .filter(|mount| {
            mount.target != Path::new("/")
                && !kept.iter().any(|kept| mount.target.starts_with(kept))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::proc::mount_table;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    #[test]
    fn mounts_are_left_in_reverse_order() {
        let mounts = mount_table::parse(
            b"1 0 7:0 / / ro - squashfs /dev/loop0 ro\n2 1 0:5 / /proc rw - proc proc rw\n\
              3 1 8:1 / /state rw - ext4 /dev/vda rw\n4 1 8:1 /x /var\\040a rw - ext4 /dev/vda rw\n\
              5 4 8:16 / /mnt/caf\xe9 rw - vfat /dev/sdb rw\n6 1 0:9 / /runner rw - tmpfs tmpfs rw\n",
        );
        let order = super::unmount_order(&mounts).into_iter();
        let order: Vec<(&Path, bool)> = order
            .map(|mount| (mount.target.as_path(), super::is_on_disk(mount)))
            .collect();
        assert_eq!(
            order,
            [
                (Path::new("/runner"), false),
                (Path::new(OsStr::from_bytes(b"/mnt/caf\xe9")), true),
                (Path::new("/var a"), true),
                (Path::new("/state"), true)
            ]
        );
    }
}
