//! A partition as the kernel shows it in `/sys`: its number, its disk's other partitions, the size of a sector.

use std::fs::{File, read_to_string};
use std::path::{Path, PathBuf};
use std::time::Duration;

use disk::partition_table;

use crate::process::deadline;

/// The size of a sector that the kernel assumes if a disk does not say its own.
const SECTOR_BYTES: u64 = 512;
/// The limit for a look at a disk.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

fn class_name(node: &Path) -> Option<String> {
    Some(node.strip_prefix("/dev").ok()?.to_str()?.replace('/', "!"))
}

/// The number of a partition on its disk; `None` for a whole disk.
pub fn partition_number(root: &Path, node: &Path) -> Option<u32> {
    let node = below(root, node);
    number_in(&root.join("sys/class/block").join(class_name(&node)?))
}

fn number_in(folder: &Path) -> Option<u32> {
    read_to_string(folder.join("partition"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The nodes of whole disks, in the order of their names: neither partitions nor CD drives, nor what other disks or files
/// make up.
pub fn whole_disks(root: &Path) -> Vec<PathBuf> {
    const OTHERS: [&str; 8] = ["dm-", "fd", "loop", "md", "nbd", "ram", "sr", "zram"];
    let entries = std::fs::read_dir(root.join("sys/class/block")).into_iter();
    let mut names: Vec<String> = entries
        .flatten()
        .flatten()
        .filter(|entry| number_in(&entry.path()).is_none())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !OTHERS.iter().any(|other| name.starts_with(other)))
        .collect();
    names.sort();
    let node = |name: String| root.join("dev").join(name.replace('!', "/"));
    names.into_iter().map(node).collect()
}

/// The node of the partition `number` of a disk, such as `/dev/nvme0n1p3`.
pub fn partition(root: &Path, disk: &Path, number: u32) -> Option<PathBuf> {
    let disk = class_name(&below(root, disk))?;
    let folder = root.join("sys/class/block").join(disk);
    let names = std::fs::read_dir(folder.canonicalize().ok()?).ok()?;
    names.flatten().find_map(|child| {
        let found = number_in(&child.path())?;
        let name = child.file_name().into_string().ok()?;
        (found == number).then(|| root.join("dev").join(name.replace('!', "/")))
    })
}

/// The partition with a GUID, as `PARTUUID=` names it; `None` if no disk that answers has it.
pub fn partition_by_guid(root: &Path, guid: &str) -> Option<PathBuf> {
    let guid = guid.trim_matches('"').to_ascii_lowercase();
    whole_disks(root).into_iter().find_map(|disk| {
        let node = disk.clone();
        let sector_bytes = sector_bytes(root, &class_name(&below(root, &disk))?);
        let read = move || {
            let mut table = File::open(node).ok()?;
            partition_table::read(&mut table, sector_bytes)
        };
        let partitions = deadline::within(LOOK_TIMEOUT, read, drop).flatten()?;
        let partition = partitions.into_iter().find(|found| found.guid == guid)?;
        self::partition(root, &disk, partition.number)
    })
}

/// The size of a sector of the disk called `name`, in bytes.
pub fn sector_bytes(root: &Path, name: &str) -> u64 {
    let file = root
        .join("sys/class/block")
        .join(name)
        .join("queue/logical_block_size");
    let text = read_to_string(file).unwrap_or_default();
    text.trim().parse().unwrap_or(SECTOR_BYTES)
}

/// A node below `root` as the machine itself names it.
fn below(root: &Path, node: &Path) -> PathBuf {
    match node.strip_prefix(root) {
        Ok(rest) => Path::new("/").join(rest),
        Err(_) => node.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{partition, partition_number, sector_bytes};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    #[test]
    fn a_partition_is_found_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let disk = root.join("sys/devices/pci0/nvme0n1");
        let class = root.join("sys/class/block");
        fs::create_dir_all(&class).unwrap();
        fs::create_dir_all(disk.join("queue")).unwrap();
        fs::write(disk.join("queue/logical_block_size"), "4096\n").unwrap();
        symlink(&disk, class.join("nvme0n1")).unwrap();
        for number in [2, 13] {
            let name = format!("nvme0n1p{number}");
            fs::create_dir(disk.join(&name)).unwrap();
            fs::write(disk.join(&name).join("partition"), format!("{number}\n")).unwrap();
            symlink(disk.join(&name), class.join(&name)).unwrap();
        }
        let node = Path::new("/dev/nvme0n1");
        assert_eq!(partition(root, node, 13), Some(root.join("dev/nvme0n1p13")));
        assert_eq!(partition(root, node, 3), None);
        assert_eq!(partition_number(root, Path::new("/dev/nvme0n1p2")), Some(2));
        assert_eq!(partition_number(root, node), None);
        assert_eq!(sector_bytes(root, "nvme0n1"), 4096);
        assert_eq!(sector_bytes(root, "sda"), 512);
        for name in ["sr0", "loop0", "md0"] {
            fs::create_dir(class.join(name)).unwrap();
        }
        assert_eq!(super::whole_disks(root), [root.join("dev/nvme0n1")]);
    }
}
