//! Which disks may configure the machine, whatever their labels say.
//!
//! Whoever can plug a stick in would otherwise be root at the next boot: media that people carry count on the machine's
//! first boot, or where the configuration allows them. A CD counts as the machine's own: hypervisors and management
//! controllers hand a machine its data that way.

use std::path::Path;

use os_config::CloudInit;

use crate::block::device::disk_of;
use crate::paths::{MEDIUM, OS_IMAGE, SLOT, STATE};
use crate::proc::mount_table;

/// Why a disk is not read though its label is right; `None` if it is read.
pub fn refusal(
    fstype: &str,
    is_removable: bool,
    is_first_boot: bool,
    settings: &CloudInit,
) -> Option<String> {
    if !settings.filesystems.iter().any(|known| known == fstype) {
        let text =
            format!("its filesystem is {fstype}; rancher.cloud_init.filesystems lists others");
        return Some(text);
    }
    (is_removable && !is_first_boot && !settings.removable).then(|| {
        "it is a removable medium, and this is not the first boot; \
         `ros config set rancher.cloud_init.removable true` allows it"
            .to_owned()
    })
}

/// The disks that the machine runs from.
pub fn own_disks(root: &Path) -> Vec<String> {
    disks_of_mounts(root, &[STATE, MEDIUM, SLOT, OS_IMAGE])
}

/// The disk that holds the OS image; `None` if the image is in memory.
pub fn image_disk(root: &Path) -> Option<String> {
    let disks = disks_of_mounts(root, &[MEDIUM, SLOT, OS_IMAGE]);
    // The device that checks the image's blocks is no disk either.
    let is_disk = |disk: &String| !disk.starts_with("loop") && !disk.starts_with("dm-");
    disks.into_iter().find(is_disk)
}

/// The disks behind the mounts on `targets`, in their order.
fn disks_of_mounts(root: &Path, targets: &[&str]) -> Vec<String> {
    let mounts = mount_table::read(Path::new(mount_table::THIS_PROCESS)).unwrap_or_default();
    let disks = targets.iter().filter_map(|target| {
        let mount = mount_table::find(&mounts, Path::new(target))?;
        disk_of(root, &mount.source)
    });
    disks.collect()
}

#[cfg(test)]
mod tests {
    use super::refusal;
    use os_config::CloudInit;

    #[test]
    fn a_disk_is_refused_for_its_filesystem_or_because_people_carry_it() {
        let filesystems = ["iso9660", "vfat"].map(str::to_owned).to_vec();
        for (fstype, is_removable, is_first_boot, allows_removable, expected) in [
            ("vfat", false, false, false, None),
            ("iso9660", true, true, false, None),
            ("vfat", true, false, true, None),
            (
                "vfat",
                true,
                false,
                false,
                Some("removable true` allows it"),
            ),
            ("ext4", false, true, true, Some("its filesystem is ext4")),
        ] {
            let settings = CloudInit {
                filesystems: filesystems.clone(),
                removable: allows_removable,
                ..CloudInit::default()
            };
            let why = refusal(fstype, is_removable, is_first_boot, &settings);
            let is_right = match (&why, expected) {
                (Some(why), Some(expected)) => why.contains(expected),
                (why, expected) => why.is_none() && expected.is_none(),
            };
            assert!(is_right, "{fstype}: {why:?}");
        }
    }
}
