//! Finds a file of the EFI system partition, so that its content can be replaced in place, sector by sector. It reads
//! FAT32 alone (Microsoft, "FAT: General Overview of On-Disk Format", 1.03), and changes nothing.
//!
//! The crate `fatfs` writes the partition; it tells of no file where it lies, and PID 1 needs no more than that.

use std::io::{Read, Seek, SeekFrom};

/// The entries of a folder that are looked at, at most: a damaged partition has no end.
const MAX_CLUSTERS: u32 = 64;
const ENTRY_BYTES: usize = 32;
const END_OF_FOLDER: u8 = 0;
const DELETED: u8 = 0xE5;
const IS_FOLDER: u8 = 0x10;
/// The entry holds the partition's label.
const IS_LABEL: u8 = 0x08;
/// Parts of a long name have all of these attributes.
const LONG_NAME: u8 = 0x0F;
const CLUSTER_MASK: u32 = 0x0FFF_FFFF;
const LAST_CLUSTER: u32 = 0x0FFF_FFF8;

/// Where a file lies, in bytes from the partition's start. It lies in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileExtent {
    pub offset: u64,
    /// The size of the file.
    pub bytes: u64,
}

/// Finds the file at `path`, whose parts are separated by `/`; upper and lower case are the same. `None` if it is missing
/// or not in one piece, or if the partition is no FAT32.
pub fn find<D: Read + Seek>(partition: &mut D, path: &str) -> Option<FileExtent> {
    let mut volume = Volume::open(partition)?;
    let entry = volume.walk(path)?;
    if entry.is_folder || !volume.is_one_piece(entry.cluster, entry.bytes)? {
        return None;
    }
    Some(FileExtent {
        offset: volume.offset(entry.cluster)?,
        bytes: entry.bytes.into(),
    })
}

/// The first byte of the folder at `path`, from the partition's start.
pub(crate) fn folder<D: Read + Seek>(partition: &mut D, path: &str) -> Option<u64> {
    let mut volume = Volume::open(partition)?;
    let entry = volume.walk(path)?;
    volume.offset(entry.is_folder.then_some(entry.cluster)?)
}

struct FolderEntry {
    cluster: u32,
    bytes: u32,
    is_folder: bool,
}

struct Volume<'a, D> {
    partition: &'a mut D,
    cluster_bytes: u64,
    table_offset: u64,
    data_offset: u64,
    root: u32,
}

impl<'a, D: Read + Seek> Volume<'a, D> {
    /// Reads the parameters in the first sector.
    fn open(partition: &'a mut D) -> Option<Self> {
        let sector = read_at(partition, 0, 512)?;
        (sector.get(510..512)? == [0x55, 0xAA]).then_some(())?;
        let sector_bytes = u64::from(u16_at(&sector, 11)?);
        let cluster_bytes = sector_bytes.checked_mul((*sector.get(13)?).into())?;
        let reserved = u64::from(u16_at(&sector, 14)?);
        let tables = u64::from(*sector.get(16)?);
        // FAT12 and FAT16 have the size of a table here.
        (u16_at(&sector, 22)? == 0 && cluster_bytes > 0).then_some(())?;
        let table_sectors = u64::from(u32_at(&sector, 36)?);
        let data_sectors = reserved.checked_add(tables.checked_mul(table_sectors)?)?;
        Some(Self {
            partition,
            cluster_bytes,
            table_offset: reserved.checked_mul(sector_bytes)?,
            data_offset: data_sectors.checked_mul(sector_bytes)?,
            root: u32_at(&sector, 44)?,
        })
    }

    fn offset(&self, cluster: u32) -> Option<u64> {
        let number = u64::from(cluster).checked_sub(2)?;
        self.data_offset
            .checked_add(number.checked_mul(self.cluster_bytes)?)
    }

    /// The cluster behind `cluster` in its file; `None` after the last.
    fn next(&mut self, cluster: u32) -> Option<u32> {
        let offset = self.table_offset.checked_add(u64::from(cluster) * 4)?;
        let next = u32_at(&read_at(self.partition, offset, 4)?, 0)? & CLUSTER_MASK;
        (2..LAST_CLUSTER).contains(&next).then_some(next)
    }

    /// Whether the clusters of a file of this size follow each other.
    fn is_one_piece(&mut self, first: u32, bytes: u32) -> Option<bool> {
        let clusters = u64::from(bytes).div_ceil(self.cluster_bytes);
        let mut cluster = first;
        for _ in 1..clusters {
            match self.next(cluster) {
                Some(next) if next == cluster.checked_add(1)? => cluster = next,
                _ => return Some(false),
            }
        }
        Some(clusters > 0)
    }

    fn walk(&mut self, path: &str) -> Option<FolderEntry> {
        let mut entry = FolderEntry {
            cluster: self.root,
            bytes: 0,
            is_folder: true,
        };
        for name in path.split('/') {
            let folder = entry.is_folder.then_some(entry.cluster)?;
            entry = self.entry(folder, name)?;
        }
        Some(entry)
    }

    fn entry(&mut self, folder: u32, name: &str) -> Option<FolderEntry> {
        let mut cluster = folder;
        let mut long_name = Vec::new();
        for _ in 0..MAX_CLUSTERS {
            let length = usize::try_from(self.cluster_bytes).ok()?;
            let bytes = read_at(self.partition, self.offset(cluster)?, length)?;
            for entry in bytes.chunks_exact(ENTRY_BYTES) {
                let (first, attributes) = (*entry.first()?, *entry.get(11)?);
                match first {
                    END_OF_FOLDER => return None,
                    DELETED => {
                        long_name.clear();
                        continue;
                    }
                    _ if attributes & LONG_NAME == LONG_NAME => {
                        let mut part = long_name_part(entry)?;
                        part.append(&mut long_name);
                        long_name = part;
                        continue;
                    }
                    _ if attributes & IS_LABEL != 0 => continue,
                    _ => {}
                }
                let long = String::from_utf16_lossy(&std::mem::take(&mut long_name));
                if long.eq_ignore_ascii_case(name) || short_name(entry)?.eq_ignore_ascii_case(name)
                {
                    let high = u32::from(u16_at(entry, 20)?) << 16;
                    return Some(FolderEntry {
                        cluster: high | u32::from(u16_at(entry, 26)?),
                        bytes: u32_at(entry, 28)?,
                        is_folder: attributes & IS_FOLDER != 0,
                    });
                }
            }
            cluster = self.next(cluster)?;
        }
        None
    }
}

/// `NAME.EXT` of an entry.
fn short_name(entry: &[u8]) -> Option<String> {
    let text = |range| {
        Some(
            String::from_utf8_lossy(entry.get(range)?)
                .trim_end()
                .to_owned(),
        )
    };
    let (name, extension): (String, String) = (text(0..8)?, text(8..11)?);
    Some(if extension.is_empty() {
        name
    } else {
        format!("{name}.{extension}")
    })
}

/// The characters of a long name that an entry holds, without what follows the name.
fn long_name_part(entry: &[u8]) -> Option<Vec<u16>> {
    let mut part = Vec::new();
    for range in [1..11, 14..26, 28..32] {
        for pair in entry.get(range)?.chunks_exact(2) {
            let character = u16_at(pair, 0)?;
            if character == 0 || character == 0xFFFF {
                return Some(part);
            }
            part.push(character);
        }
    }
    Some(part)
}

fn read_at<D: Read + Seek>(device: &mut D, offset: u64, length: usize) -> Option<Vec<u8>> {
    /// Clusters have 32 KiB at most.
    const LIMIT: usize = 1 << 16;
    let mut bytes = vec![0; length.min(LIMIT)];
    device.seek(SeekFrom::Start(offset)).ok()?;
    device.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(field.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{FileExtent, find};
    use crate::esp::{self, EspFile};
    use std::io::Cursor;

    const BYTES: u64 = 288 << 20;

    #[test]
    fn files_are_found_where_they_lie() {
        let mut partition = Cursor::new(vec![0; BYTES as usize]);
        let long = vec![b'l'; 10_000];
        let files = [
            EspFile {
                path: "EFI/paddock/env1",
                bytes: b"first",
            },
            EspFile {
                path: "EFI/paddock/a-long-name.text",
                bytes: &long,
            },
            EspFile {
                path: "EFI/paddock/empty",
                bytes: b"",
            },
        ];
        esp::write(&mut partition, BYTES, 512, &files).unwrap();
        for file in &files[..2] {
            let extent = find(&mut partition, file.path).unwrap();
            let start = usize::try_from(extent.offset).unwrap();
            assert_eq!(extent.bytes, file.bytes.len() as u64);
            assert_eq!(
                &partition.get_ref()[start..start + file.bytes.len()],
                file.bytes
            );
            assert_eq!(
                find(&mut partition, &file.path.to_uppercase()),
                Some(extent)
            );
        }
        for path in ["EFI/paddock/empty", "EFI/paddock", "EFI/none", "env1", ""] {
            assert_eq!(find(&mut partition, path), None::<FileExtent>, "{path}");
        }
    }

    #[test]
    fn a_damaged_partition_has_no_files() {
        for byte in [0, 0xFF, 0x55] {
            let mut partition = Cursor::new(vec![byte; 4096]);
            assert_eq!(find(&mut partition, "EFI/paddock/env1"), None);
        }
    }
}
