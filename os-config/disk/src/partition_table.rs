//! The partition table of a disk, GPT (UEFI specification, chapter 5).
//!
//! The crate `gpt` writes it (maintained since 2017, tested against other implementations). PID 1 reads disks of any
//! origin, where a damaged table must be an answer and never a panic, so the reading is here.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::io::{Error, Read, Result, Seek, SeekFrom, Write};

use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{BIOS, EFI, LINUX_FS, Type};
use uuid::Uuid;

use crate::layout::{Layout, Role};

const SIGNATURE: &[u8] = b"EFI PART";
/// The parts of a header that are read.
const HEADER_BYTES: usize = 92;
/// Tables of more partitions are not read.
const MAX_PARTITIONS: u32 = 1024;
const MAX_ENTRY_BYTES: u32 = 4096;

/// The identifiers of a disk and of its partitions: random bytes, new for each machine.
#[derive(Clone, Copy, Debug)]
pub struct Guids {
    pub disk: [u8; 16],
    pub partitions: [[u8; 16]; 5],
}

/// Writes the protective MBR and both copies of the table.
///
/// # Errors
///
/// The device cannot be written, or does not have the size of the layout.
pub fn write<D: Read + Write + Seek + Debug>(
    device: &mut D,
    layout: &Layout,
    guids: &Guids,
) -> Result<()> {
    write_roles(device, layout, guids, &Role::ALL)
}

/// Writes a table with the partitions of these roles alone, numbered from 1 on; otherwise as [`write`].
///
/// # Errors
///
/// As [`write`].
pub fn write_roles<D: Read + Write + Seek + Debug>(
    device: &mut D,
    layout: &Layout,
    guids: &Guids,
    roles: &[Role],
) -> Result<()> {
    let block_size = match layout.sector_bytes {
        512 => LogicalBlockSize::Lb512,
        4096 => LogicalBlockSize::Lb4096,
        other => return Err(Error::other(format!("sectors of {other} bytes"))),
    };
    let sectors = layout.disk_bytes / layout.sector_bytes;
    let protected = u32::try_from(sectors.saturating_sub(1)).unwrap_or(u32::MAX);
    ProtectiveMBR::with_lb_size(protected)
        .overwrite_lba0(device)
        .map_err(Error::other)?;
    let mut table = GptConfig::new()
        .writable(true)
        .logical_block_size(block_size)
        .create_from_device(device, Some(random_uuid(guids.disk)))
        .map_err(Error::other)?;
    let partitions: BTreeMap<u32, Partition> = layout
        .partitions
        .iter()
        .zip(guids.partitions)
        .filter(|(partition, _)| roles.contains(&partition.role))
        .map(|(partition, guid)| {
            let first_lba = partition.first_byte / layout.sector_bytes;
            let record = Partition {
                part_type_guid: kind(partition.role),
                part_guid: random_uuid(guid),
                first_lba,
                last_lba: first_lba + partition.bytes / layout.sector_bytes - 1,
                flags: 0,
                name: partition.role.name().to_owned(),
            };
            (partition.role.number(), record)
        })
        .collect();
    table.update_partitions(partitions).map_err(Error::other)?;
    table.write().map_err(Error::other)?.flush()
}

fn random_uuid(bytes: [u8; 16]) -> Uuid {
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

fn kind(role: Role) -> Type {
    match role {
        Role::BiosBoot => BIOS,
        Role::Esp => EFI,
        Role::SlotA | Role::SlotB | Role::State => LINUX_FS,
    }
}

/// A partition of a disk, in bytes from the start of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GptPartition {
    pub number: u32,
    pub name: String,
    /// Its identifier, as `PARTUUID` shows it, in lower case.
    pub guid: String,
    pub first_byte: u64,
    pub bytes: u64,
}

impl GptPartition {
    /// The bytes of the identifier for [`Guids`].
    pub fn guid_bytes(&self) -> Option<[u8; 16]> {
        Some(Uuid::parse_str(&self.guid).ok()?.into_bytes())
    }
}

/// The length of the table's copy at the end of a disk: 128 entries of 128 bytes, and the header.
pub fn copy_bytes(sector_bytes: u64) -> u64 {
    128 * 128 + sector_bytes
}

/// The state partition of a disk that an installation has made: its partitions lie as [`Layout::new`] lays them, but for the
/// length of the state, because disks grow. An installation that keeps the state and is cut off leaves the state partition
/// alone. `None` for any other disk.
pub fn installed_state(
    partitions: &[GptPartition],
    disk_bytes: u64,
    sector_bytes: u64,
) -> Option<&GptPartition> {
    let layout = Layout::new(disk_bytes, sector_bytes).ok()?;
    let (state, others) = partitions.split_last()?;
    let is_alone = others.is_empty();
    let is_complete = is_alone || partitions.len() == Role::ALL.len();
    let lies_in_layout = |found: &GptPartition, role: Role| {
        let expected = layout.partition(role);
        found.name == role.name()
            && (is_alone || found.number == role.number())
            && found.first_byte == expected.first_byte
            && (role == Role::State || found.bytes == expected.bytes)
    };
    let end = state.first_byte.checked_add(state.bytes)?;
    let fits = end <= disk_bytes.checked_sub(copy_bytes(sector_bytes))?;
    let mut others = others.iter().zip(Role::ALL);
    let is_ours = lies_in_layout(state, Role::State)
        && others.all(|(found, role)| lies_in_layout(found, role));
    (is_complete && fits && is_ours).then_some(state)
}

/// The partitions of a disk, by the table or else by its copy at the end of the disk; `None` without a sound table.
pub fn read<D: Read + Seek>(device: &mut D, sector_bytes: u64) -> Option<Vec<GptPartition>> {
    let size = device.seek(SeekFrom::End(0)).ok()?;
    let copy = size.checked_sub(sector_bytes)? / sector_bytes.max(1);
    [1, copy]
        .into_iter()
        .find_map(|sector| read_table(device, sector, sector_bytes))
}

fn read_table<D: Read + Seek>(
    device: &mut D,
    sector: u64,
    sector_bytes: u64,
) -> Option<Vec<GptPartition>> {
    let header = read_at(device, sector.checked_mul(sector_bytes)?, HEADER_BYTES)?;
    header.starts_with(SIGNATURE).then_some(())?;
    let own_sum = u32_at(&header, 16)?;
    let mut summed = header.clone();
    summed.get_mut(16..20)?.fill(0);
    (crc32fast::hash(&summed) == own_sum && u64_at(&header, 24)? == sector).then_some(())?;
    let (count, entry_bytes) = (u32_at(&header, 80)?, u32_at(&header, 84)?);
    let is_usual = count <= MAX_PARTITIONS && (128..=MAX_ENTRY_BYTES).contains(&entry_bytes);
    is_usual.then_some(())?;
    let length = usize::try_from(count.checked_mul(entry_bytes)?).ok()?;
    let offset = u64_at(&header, 72)?.checked_mul(sector_bytes)?;
    let entries = read_at(device, offset, length)?;
    (crc32fast::hash(&entries) == u32_at(&header, 88)?).then_some(())?;
    let entries = entries.chunks_exact(usize::try_from(entry_bytes).ok()?);
    let partitions = (1..).zip(entries).filter_map(|(number, entry)| {
        let is_used = entry.get(..16)?.iter().any(|byte| *byte != 0);
        is_used.then_some(())?;
        let (first, last) = (u64_at(entry, 32)?, u64_at(entry, 40)?);
        let sectors = last.checked_sub(first)?.checked_add(1)?;
        Some(GptPartition {
            number,
            name: name(entry.get(56..128)?),
            guid: guid(entry.get(16..32)?)?,
            first_byte: first.checked_mul(sector_bytes)?,
            bytes: sectors.checked_mul(sector_bytes)?,
        })
    });
    Some(partitions.collect())
}

/// The text of a GUID, whose first three groups are little-endian numbers.
fn guid(bytes: &[u8]) -> Option<String> {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::new();
    for (index, at) in ORDER.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{:02x}", bytes.get(at)?).ok()?;
    }
    Some(text)
}

fn name(bytes: &[u8]) -> String {
    let characters = bytes.chunks_exact(2).filter_map(|pair| {
        let pair: [u8; 2] = pair.try_into().ok()?;
        Some(u16::from_le_bytes(pair))
    });
    let characters: Vec<u16> = characters.take_while(|character| *character != 0).collect();
    String::from_utf16_lossy(&characters)
}

fn read_at<D: Read + Seek>(device: &mut D, offset: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    device.seek(SeekFrom::Start(offset)).ok()?;
    device.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(field.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(field.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{GptPartition, Guids, copy_bytes, installed_state, read, write, write_roles};
    use crate::layout::{Layout, Role};
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use std::process::Command;

    const BYTES: u64 = 2 << 30;
    const GUIDS: Guids = Guids {
        disk: [9; 16],
        partitions: [[1; 16], [2; 16], [3; 16], [4; 16], [5; 16]],
    };

    fn disk(sector_bytes: u64) -> (File, Layout, tempfile::NamedTempFile) {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(BYTES).unwrap();
        let layout = Layout::new(BYTES, sector_bytes).unwrap();
        let mut device = file.reopen().unwrap();
        write(&mut device, &layout, &GUIDS).unwrap();
        (device, layout, file)
    }

    #[test]
    fn what_is_written_is_read_by_this_and_by_other_programs() {
        for sector_bytes in [512, 4096] {
            let (mut device, layout, file) = disk(sector_bytes);
            let found = read(&mut device, sector_bytes).unwrap();
            assert_eq!(found.len(), 5);
            for (found, expected) in found.iter().zip(&layout.partitions) {
                assert_eq!(found.number, expected.role.number());
                assert_eq!(found.name, expected.role.name());
                assert_eq!(
                    (found.first_byte, found.bytes),
                    (expected.first_byte, expected.bytes)
                );
            }
            assert_eq!(found[1].guid, "02020202-0202-4202-8202-020202020202");
            // It takes a file for a disk with sectors of 512 bytes.
            if sector_bytes == 512 {
                let told = Command::new("sfdisk")
                    .arg("--verify")
                    .arg(file.path())
                    .output()
                    .unwrap();
                let said = String::from_utf8_lossy(&told.stdout).into_owned();
                assert!(
                    told.status.success() && said.contains("No errors"),
                    "{told:?}"
                );
            }
        }
    }

    #[test]
    fn the_state_of_an_installed_disk_is_known() {
        for sector_bytes in [512, 4096] {
            let (mut device, layout, _file) = disk(sector_bytes);
            let table = read(&mut device, sector_bytes).unwrap();
            let state = |table: &[GptPartition], bytes| {
                installed_state(table, bytes, sector_bytes).cloned()
            };
            let found = state(&table, BYTES).unwrap();
            assert_eq!(found, table[4]);
            // What was random stays as it is when it is written again.
            let mut guids = GUIDS;
            guids.partitions[4] = found.guid_bytes().unwrap();
            write_roles(&mut device, &layout, &guids, &[Role::State]).unwrap();
            let alone = read(&mut device, sector_bytes).unwrap();
            let mut first = found.clone();
            first.number = 1;
            assert_eq!(alone, [first.clone()]);
            assert_eq!(state(&alone, BYTES), Some(first));
            // The disk has grown, and the state with it or not.
            assert_eq!(state(&table, 2 * BYTES).as_ref(), Some(&found));
            let mut long = table.clone();
            long[4].bytes = BYTES - copy_bytes(sector_bytes) - long[4].first_byte;
            assert!(state(&long, BYTES).is_some());
            long[4].bytes += sector_bytes;
            assert_eq!(state(&long, BYTES), None);
            let mut renamed = table.clone();
            renamed[1].name = "other".to_owned();
            let mut moved = table.clone();
            moved[2].first_byte += 1 << 20;
            for other in [
                &table[..4],
                &table[1..],
                &[][..],
                renamed.as_slice(),
                moved.as_slice(),
            ] {
                assert_eq!(state(other, BYTES), None);
            }
        }
    }

    #[test]
    fn the_copy_lies_in_its_bytes_at_the_end() {
        for sector_bytes in [512, 4096] {
            let (mut device, ..) = disk(sector_bytes);
            let whole = read(&mut device, sector_bytes);
            let start = BYTES - copy_bytes(sector_bytes);
            let before = vec![0xFF; 1 << 20];
            device
                .write_all_at(&before, start - before.len() as u64)
                .unwrap();
            device.write_all_at(&before[..65536], 0).unwrap();
            assert_eq!(read(&mut device, sector_bytes), whole);
            assert!(whole.is_some());
        }
    }

    #[test]
    fn the_copy_stands_for_a_damaged_table_and_damage_to_both_is_no_table() {
        let (mut device, ..) = disk(512);
        let whole = read(&mut device, 512);
        // The name of a partition: the sum no longer fits.
        device.write_all_at(b"x", 1024 + 60).unwrap();
        assert_eq!(read(&mut device, 512), whole);
        device.write_all_at(&[0xFF; 512], BYTES - 512).unwrap();
        assert_eq!(read(&mut device, 512), None);
        let mut empty = std::io::Cursor::new(vec![0; 100]);
        assert_eq!(read(&mut empty, 512), None);
    }
}
