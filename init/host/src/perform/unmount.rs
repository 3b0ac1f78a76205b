//! Unmounts a single target, or everything before the machine goes down.

use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags};

/// Unmounts `target`; ignores errors.
pub fn try_unmount(target: &Path) {
    let _ = nix::mount::umount(target);
}

/// Syncs and unmounts, latest mount first; a busy filesystem is made read-only.
pub fn unmount_all() {
    nix::unistd::sync();
    for target in mount_points(Path::new("/proc/self/mountinfo")) {
        if nix::mount::umount2(&target, MntFlags::UMOUNT_NOFOLLOW).is_err() {
            let _ = nix::mount::mount(
                None::<&str>,
                &target,
                None::<&str>,
                MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY,
                None::<&str>,
            );
        }
    }
    nix::unistd::sync();
}

/// Mount points in reverse order, without the kernel's own filesystems and the root.
fn mount_points(table: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(table).unwrap_or_default();
    text.lines()
        .rev()
        .filter_map(|line| line.split(' ').nth(4))
        .map(unescape)
        .filter(|target| {
            let kept = ["/proc", "/sys", "/dev", "/run"];
            target != "/" && !kept.iter().any(|kept| Path::new(target).starts_with(kept))
        })
        .map(PathBuf::from)
        .collect()
}

/// mountinfo writes blank, tab, newline and backslash as octal.
fn unescape(field: &str) -> String {
    field
        .replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    #[test]
    fn mounts_are_left_in_reverse_order() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            &file,
            "1 0 7:0 / / ro - squashfs /dev/loop0 ro\n2 1 0:5 / /proc rw - proc proc rw\n\
             3 1 8:1 / /state rw - ext4 /dev/vda rw\n4 1 8:1 /x /var\\040a rw - ext4 /dev/vda rw\n",
        )
        .unwrap();
        let found = super::mount_points(file.path());
        assert_eq!(
            found,
            [
                std::path::Path::new("/var a"),
                std::path::Path::new("/state")
            ]
        );
    }
}
