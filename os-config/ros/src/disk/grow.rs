//! `rancher.resize_device`: lets the first partition of a disk, and the filesystem on it, fill the disk.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use host::paths::STATE;
use host::proc::mount_table::{self, MountPoint};

use crate::subprocess::run;

/// Sectors at the end of a disk that are not worth a new partition table: alignment leaves so many free.
const SMALLEST_GAIN: u64 = 8 << 20 >> 9;

/// Grows the first partition of a disk and its filesystem, if there is room behind it.
pub(crate) fn grow(disk: &str) -> Result<()> {
    let name = disk
        .strip_prefix("/dev/")
        .with_context(|| format!("expected a disk such as /dev/vda, found {disk:?}"))?;
    grow_partition(name, &first_partition(name))
}

/// Grows the state partition and its filesystem; a state filesystem on a whole disk stays.
pub(crate) fn grow_state() -> Result<()> {
    let mounts =
        mount_table::read(Path::new(mount_table::THIS_PROCESS)).context("reading the mounts")?;
    let Some(partition) = state_partition(&mounts) else {
        return Ok(());
    };
    let link = Path::new("/sys/class/block").join(partition);
    let folder = fs::canonicalize(&link).with_context(|| format!("there is no {partition}"))?;
    if !folder.join("partition").exists() {
        // A filesystem on the whole disk.
        return Ok(());
    }
    let disk = folder.parent().and_then(Path::file_name);
    let disk = disk
        .and_then(|name| name.to_str())
        .context("a partition without a disk")?;
    grow_partition(disk, partition)
}

/// The name of the device of the state filesystem.
fn state_partition(mounts: &[MountPoint]) -> Option<&str> {
    // `rancher.state.directory` mounts a folder of the same device again.
    let mount = mount_table::find(mounts, Path::new(STATE))?;
    mount.source.to_str()?.strip_prefix("/dev/")
}

fn grow_partition(name: &str, partition: &str) -> Result<()> {
    let disk = &format!("/dev/{name}");
    let sectors = |path: String| -> Result<u64> {
        let file = Path::new("/sys/class/block").join(&path);
        let text = fs::read_to_string(&file)
            .with_context(|| format!("there is no {}", path.split('/').next().unwrap_or(&path)))?;
        text.trim()
            .parse()
            .with_context(|| format!("reading {}", file.display()))
    };
    let size = sectors(format!("{name}/size"))?;
    let start = sectors(format!("{partition}/start"))?;
    let end = start + sectors(format!("{partition}/size"))?;
    if end + SMALLEST_GAIN > size {
        return Ok(());
    }
    let number = partition.strip_prefix(name).unwrap_or(partition);
    let number = number.trim_start_matches('p');
    // GPT keeps a copy of the table at the disk's end, which moved. Other tables have no copy, so errors are ignored.
    let _ = run("sfdisk", &["--relocate", "gpt-bak-std", disk], None);
    run(
        "sfdisk",
        &[
            "--quiet",
            "--force",
            "--no-reread",
            "--no-tell-kernel",
            "-N",
            number,
            disk,
        ],
        Some(", +\n"),
    )?;
    run("partx", &["--update", "--nr", number, disk], None)?;
    let device = format!("/dev/{partition}");
    match filesystem(&device)?.as_str() {
        "ext2" | "ext3" | "ext4" => run("resize2fs", &[&device], None),
        other => {
            bail!("{device} has filled its disk, but its {other:?} cannot be grown here, only ext4")
        }
    }
}

/// The first partition, by the kernel's rules; on cards of small boards the second, as in RancherOS.
fn first_partition(disk: &str) -> String {
    if disk.starts_with("mmcblk") {
        format!("{disk}p2")
    } else if disk.ends_with(|c: char| c.is_ascii_digit()) {
        format!("{disk}p1")
    } else {
        format!("{disk}1")
    }
}

fn filesystem(device: &str) -> Result<String> {
    let output = Command::new("blkid")
        .args(["-p", "-s", "TYPE", "-o", "value", device])
        .output()
        .context("starting blkid")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{first_partition, state_partition};
    use host::proc::mount_table;

    #[test]
    fn the_device_with_the_state() {
        let disk = "1 0 0:4 / /proc rw - proc proc rw\n2 0 8:1 / /state rw - ext4 /dev/vdb1 rw\n\
                    3 0 8:1 /home /home rw - ext4 /dev/vdb1 rw\n";
        let memory = "1 0 0:4 / /state rw - tmpfs tmpfs rw\n";
        for (table, expected) in [(disk, Some("vdb1")), (memory, None), ("", None)] {
            let mounts = mount_table::parse(table.as_bytes());
            assert_eq!(state_partition(&mounts), expected, "{table}");
        }
    }

    #[test]
    fn names_of_partitions() {
        for (disk, expected) in [
            ("vda", "vda1"),
            ("xvda", "xvda1"),
            ("nvme0n1", "nvme0n1p1"),
            ("mmcblk0", "mmcblk0p2"),
        ] {
            assert_eq!(first_partition(disk), expected);
        }
    }
}
