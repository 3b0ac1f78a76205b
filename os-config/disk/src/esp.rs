//! The EFI system partition of an installed disk: its files, and the filesystem with them, FAT32 with clusters of 4 KiB.
//! A file of one cluster can be replaced in place by a write of its sectors.
//!
//! The crate `fatfs` makes the filesystem (a Rust library for FAT, in use since 2017). It gives the entries `.` and `..` of a
//! folder long names, and names the root's cluster as a parent where the format asks for 0. Both are corrected here:
//! firmware reads such folders, but checkers of filesystems rename the entries.

use std::collections::BTreeSet;
use std::io::{Error, Read, Result, Seek, SeekFrom, Write};

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions, format_volume};

use crate::fat;

/// shim, which the firmware starts.
pub const SHIM: &str = "EFI/BOOT/BOOTX64.EFI";
/// GRUB, which shim starts.
pub const GRUB: &str = "EFI/BOOT/grubx64.efi";
/// MokManager, by which somebody at the machine makes shim trust a key.
pub const MOK_MANAGER: &str = "EFI/BOOT/mmx64.efi";
/// GRUB's script, in the folder that Debian's signed GRUB looks into.
pub const GRUB_CFG: &str = "EFI/debian/grub.cfg";
/// The two copies of the environment block.
pub const ENVIRONMENTS: [&str; 2] = ["EFI/paddock/env1", "EFI/paddock/env2"];
/// The machine's own words of the kernel line.
pub const KERNEL_LINE: &str = "EFI/paddock/kernel-line";
/// The public key of the signatures in a slot.
pub const ROT_KEY: &str = "EFI/paddock/rot.pub";

const CLUSTER_BYTES: u32 = 4096;
const VOLUME_LABEL: &[u8; 11] = b"EFI        ";
const ENTRY_BYTES: usize = 32;
/// Superblocks of other filesystems lie in the first bytes of a partition, up to here.
const START_BYTES: usize = 128 << 10;
/// The entries that `fatfs` writes for `.` and `..`, each with a long name.
const FIRST_ENTRIES: usize = 4;
const DELETED: u8 = 0xE5;

/// A file of the partition.
#[derive(Clone, Copy, Debug)]
pub struct EspFile<'a> {
    /// Its folders and its name, separated by `/`.
    pub path: &'a str,
    pub bytes: &'a [u8],
}

/// Makes the filesystem on `partition`, which has `bytes` bytes in sectors of `sector_bytes`, and writes the files.
///
/// # Errors
///
/// The partition cannot be written, or is too small for FAT32.
pub fn write<D: Read + Write + Seek>(
    partition: &mut D,
    bytes: u64,
    sector_bytes: u64,
    files: &[EspFile<'_>],
) -> Result<()> {
    let invalid = |_| Error::other("a sector size or a partition size that FAT32 does not have");
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .bytes_per_cluster(CLUSTER_BYTES)
        .bytes_per_sector(u16::try_from(sector_bytes).map_err(invalid)?)
        .total_sectors(u32::try_from(bytes / sector_bytes.max(1)).map_err(invalid)?)
        .volume_label(*VOLUME_LABEL);
    erase_start(partition)?;
    format_volume(&mut *partition, options)?;
    let filesystem = FileSystem::new(&mut *partition, FsOptions::new())?;
    for file in files {
        write_file(&filesystem, file)?;
    }
    filesystem.unmount()?;
    correct_folders(partition, files)
}

/// `fatfs` leaves sectors between its own as they were. The superblock of an older filesystem there would count for more.
fn erase_start<D: Write + Seek>(partition: &mut D) -> Result<()> {
    partition.rewind()?;
    partition.write_all(&[0; START_BYTES])?;
    partition.rewind()
}

fn write_file<D: Read + Write + Seek>(
    filesystem: &FileSystem<D>,
    file: &EspFile<'_>,
) -> Result<()> {
    let root = filesystem.root_dir();
    for (end, _) in file.path.match_indices('/') {
        root.create_dir(file.path.get(..end).unwrap_or_default())?;
    }
    let mut made = root.create_file(file.path)?;
    made.truncate()?;
    made.write_all(file.bytes)
}

/// Writes the first entries of every folder anew.
fn correct_folders<D: Read + Write + Seek>(partition: &mut D, files: &[EspFile<'_>]) -> Result<()> {
    let folders: BTreeSet<&str> = files
        .iter()
        .flat_map(|file| {
            let ends = file.path.match_indices('/');
            ends.filter_map(|(end, _)| file.path.get(..end))
        })
        .collect();
    for folder in folders {
        let missing = || Error::other(format!("the folder {folder} is not there"));
        let offset = fat::folder(partition, folder).ok_or_else(missing)?;
        let mut entries = [0; FIRST_ENTRIES * ENTRY_BYTES];
        partition.seek(SeekFrom::Start(offset))?;
        partition.read_exact(&mut entries)?;
        let is_in_root = !folder.contains('/');
        let corrected = first_entries(&entries, is_in_root).ok_or_else(missing)?;
        partition.seek(SeekFrom::Start(offset))?;
        partition.write_all(&corrected)?;
    }
    partition.flush()
}

/// The folder itself and its parent come first, without long names; 0 is the root as a parent.
fn first_entries(entries: &[u8], is_in_root: bool) -> Option<Vec<u8>> {
    let find = |name: &[u8]| {
        let mut all = entries.chunks_exact(ENTRY_BYTES);
        all.find(|entry| entry.starts_with(name))
            .map(<[u8]>::to_vec)
    };
    let mut parent = find(b"..         ")?;
    if is_in_root {
        for half in [20..22, 26..28] {
            parent.get_mut(half)?.fill(0);
        }
    }
    let mut first = find(b".          ")?;
    first.append(&mut parent);
    while first.len() < entries.len() {
        first.push(DELETED);
        first.resize(first.len().next_multiple_of(ENTRY_BYTES), 0);
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::{ENVIRONMENTS, EspFile, GRUB, GRUB_CFG, SHIM, write};
    use std::fs;
    use std::process::Command;

    const BYTES: u64 = 288 << 20;

    #[test]
    fn an_older_filesystem_is_not_recognised_any_more() {
        let mut partition = std::io::Cursor::new(vec![0; BYTES as usize]);
        // The magic number of ext4, in its superblock.
        partition.get_mut()[1024 + 56..1024 + 58].copy_from_slice(&[0x53, 0xEF]);
        let files = [EspFile {
            path: SHIM,
            bytes: b"shim",
        }];
        write(&mut partition, BYTES, 512, &files).unwrap();
        let found =
            crate::superblock::recognise(&partition.get_ref()[..crate::superblock::PROBE_BYTES]);
        assert_eq!(found.map(|found| found.fstype), Some("vfat"));
    }

    #[test]
    fn other_programs_find_the_filesystem_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("esp");
        let shim = vec![7; 1_000_000];
        let files = [
            (SHIM, shim.as_slice()),
            (GRUB, b"grub"),
            (GRUB_CFG, b"echo"),
            (ENVIRONMENTS[0], b"one"),
            (ENVIRONMENTS[1], b"two"),
        ]
        .map(|(path, bytes)| EspFile { path, bytes });
        for sector_bytes in [512, 4096] {
            let mut file = fs::File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(&image)
                .unwrap();
            file.set_len(BYTES).unwrap();
            write(&mut file, BYTES, sector_bytes, &files).unwrap();
            let check = Command::new("/sbin/fsck.vfat")
                .arg("-n")
                .arg(&image)
                .output();
            let check = check.unwrap();
            let said = String::from_utf8_lossy(&check.stdout).into_owned();
            assert!(check.status.success(), "{sector_bytes}: {said}");
            assert!(!said.contains("wrong"), "{said}");
            let copy = Command::new("mcopy")
                .env("MTOOLS_SKIP_CHECK", "1")
                .args(["-n", "-i"])
                .arg(&image)
                .arg(format!("::{SHIM}"))
                .arg(folder.path().join("shim"))
                .output()
                .unwrap();
            assert!(copy.status.success(), "{copy:?}");
            assert_eq!(fs::read(folder.path().join("shim")).unwrap(), shim);
            fs::remove_file(folder.path().join("shim")).unwrap();
        }
    }
}
