//! What is on a disk before an installation: its partitions and filesystems, or bytes that nobody knows.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use disk::partition_table;
use disk::superblock::has_partition_table;
use host::block;

use crate::disk::install::table_image::END_BYTES;
use crate::disk::install::target::{Target, TargetKind, gigabytes};

/// Describes what is on a disk, a line for each thing. An empty disk has none.
pub(super) fn describe(root: &Path, target: &Target) -> Result<Vec<String>> {
    let reading = || format!("reading {}", target.path.display());
    let mut device = File::open(&target.path).with_context(reading)?;
    let mut lines = Vec::new();
    lines.extend(filesystem(&target.path).map(|text| format!("the whole disk: {text}")));
    if let Some(table) = partition_table::read(&mut device, target.sector_bytes) {
        lines.extend(table.iter().map(|partition| {
            let size = gigabytes(partition.bytes);
            let node = block::partition(root, &target.path, partition.number);
            let text = node.and_then(|node| filesystem(&node)).unwrap_or_default();
            let line = format!(
                "partition {} {:?}: {size} {text}",
                partition.number, partition.name
            );
            line.trim_end().to_owned()
        }));
    } else if let TargetKind::Disk(name) = &target.kind {
        lines.extend(partition_nodes(root, name).iter().map(|node| {
            let text = filesystem(node).unwrap_or_else(|| "no known filesystem".to_owned());
            format!("{}: {text}", node.display())
        }));
    }
    if lines.is_empty() {
        lines.extend(unknown_content(&mut device, target.bytes).with_context(reading)?);
    }
    Ok(lines)
}

fn filesystem(node: &Path) -> Option<String> {
    let found = block::read_superblock(node)?;
    Some(match found.label.as_str() {
        "" => found.fstype.to_owned(),
        label => format!("{} {label:?}", found.fstype),
    })
}

/// The partitions that the kernel has found, by whatever table.
fn partition_nodes(root: &Path, disk: &str) -> Vec<PathBuf> {
    let folder = root.join("sys/class/block").join(disk);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let partitions = entries.filter(|entry| entry.path().join("partition").exists());
    let names = partitions.filter_map(|entry| entry.file_name().into_string().ok());
    let mut nodes: Vec<PathBuf> = names
        .map(|name| Path::new("/dev").join(name.replace('!', "/")))
        .collect();
    nodes.sort();
    nodes
}

/// An empty disk has zeros at both ends, as an installation that was cut off leaves them.
fn unknown_content(device: &mut File, bytes: u64) -> io::Result<Option<String>> {
    let first = read_end(device, 0)?;
    let last = read_end(device, bytes.saturating_sub(END_BYTES))?;
    let has_table = has_partition_table(&first);
    let is_empty = first.iter().chain(&last).all(|byte| *byte == 0);
    Ok(match (has_table, is_empty) {
        (true, _) => Some("a partition table".to_owned()),
        (false, false) => Some("data of an unknown kind".to_owned()),
        (false, true) => None,
    })
}

fn read_end(device: &mut File, start: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    device.seek(SeekFrom::Start(start))?;
    device.take(END_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use std::path::Path;
    use std::process::Command;

    use super::describe;
    use crate::disk::install::target::Target;

    #[test]
    fn what_is_on_a_disk_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        let bytes = 64 << 20;
        let describe = || {
            let target = Target::find(Path::new("/"), &path).unwrap();
            describe(Path::new("/"), &target).unwrap()
        };
        let new = || {
            let file = File::create(&path).unwrap();
            file.set_len(bytes).unwrap();
            file
        };
        new();
        assert_eq!(describe(), [""; 0]);
        for position in [0, bytes - 4] {
            new().write_all_at(b"LUKS", position).unwrap();
            assert_eq!(describe(), ["data of an unknown kind"]);
        }
        new().write_all_at(&[0x55, 0xAA], 510).unwrap();
        assert_eq!(describe(), ["a partition table"]);
        new();
        let made = Command::new("mke2fs")
            .args(["-q", "-F", "-t", "ext4", "-L", "OLD"])
            .arg(&path)
            .status();
        assert!(made.unwrap().success());
        assert_eq!(describe(), ["the whole disk: ext4 \"OLD\""]);
    }
}
