//! The environment blocks and the machine's own words of the kernel line, on the EFI system partition of the disk that
//! the machine has started from. They are read and written in place: no filesystem is mounted for it, and a cut leaves
//! the sector as it was before or after the write.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use disk::esp::{ENVIRONMENTS, KERNEL_LINE};
use disk::fat::{self, FileExtent};
use disk::layout::Role;
use disk::slots::{BLOCK_BYTES, SlotTable};
use disk::{machine_line, partition_table};

use crate::block;
use crate::paths::{SLOT, below_root};
use crate::proc::mount_table;
use crate::process::deadline;
use crate::slot::start::SlotStart;

/// The limit for a look at a disk, and for a write.
const DISK_TIMEOUT: Duration = Duration::from_secs(10);
const VFAT: &str = "vfat";
/// A file that is smaller than a cluster of the partition lies in it whole.
const CLUSTER_BYTES: u64 = 4096;

/// The blocks of the machine's own disk.
#[derive(Clone, Debug)]
pub struct Environment {
    esp: PathBuf,
    disk: PathBuf,
    copies: [Option<FileExtent>; 2],
    /// Files of another size in place of a copy. GRUB may count in them, and a count could not be given back there.
    misfits: [Option<FileExtent>; 2],
    /// Copies that GRUB cannot use, or that differ from the table.
    stale: [bool; 2],
    line: Option<FileExtent>,
    table: SlotTable,
    is_seen: bool,
    twins: Vec<PathBuf>,
}

impl Environment {
    /// Finds the disk that `start` names: by the GUID of its EFI system partition and, if a copy of the disk is attached
    /// too, by GRUB's last write.
    ///
    /// # Errors
    ///
    /// No attached disk has the partition.
    pub fn open(root: &Path, start: &SlotStart) -> Result<Self> {
        let mut matching: Vec<Self> = candidates(root)
            .into_iter()
            .filter_map(|node| {
                let (root, start) = (root.to_owned(), start.clone());
                let look = move || Self::of_partition(&root, &node, &start);
                deadline::within(DISK_TIMEOUT, look, drop).flatten()
            })
            .collect();
        // A copy of the disk is one write behind. People carry a stick in, and no disk of the machine's.
        matching.sort_by_key(|found| (!found.is_seen, block::is_removable(root, &found.disk)));
        ensure!(
            !matching.is_empty(),
            "looking for the disk of slot {}: no disk has the EFI system partition {}",
            start.slot,
            start.esp
        );
        let mut own = matching.remove(0);
        own.twins = matching.into_iter().map(|twin| twin.disk).collect();
        Ok(own)
    }

    fn of_partition(root: &Path, esp: &Path, start: &SlotStart) -> Option<Self> {
        let name = block::disk_of(root, esp)?;
        let disk = root.join("dev").join(name.replace('!', "/"));
        let mut table = File::open(&disk).ok()?;
        let partitions = partition_table::read(&mut table, block::sector_bytes(root, &name))?;
        let number = block::partition_number(root, esp)?;
        let is_own = |partition: &partition_table::GptPartition| {
            partition.number == number
                && number == Role::Esp.number()
                && partition.guid == start.esp
        };
        if !partitions.iter().any(is_own) {
            return None;
        }
        let mut partition = File::open(esp).ok()?;
        let mut find = |path| fat::find(&mut partition, path);
        // A damaged entry of the folder must not lead to another file.
        let is_block = |extent: &FileExtent| extent.bytes == BLOCK_BYTES as u64;
        let is_misfit = |extent: &FileExtent| !is_block(extent) && extent.bytes < CLUSTER_BYTES;
        let files = ENVIRONMENTS.map(&mut find);
        let copies = files.map(|file| file.filter(is_block));
        let misfits = files.map(|file| file.filter(is_misfit));
        let line =
            find(KERNEL_LINE).filter(|extent| extent.bytes == machine_line::FILE_BYTES as u64);
        let blocks = copies
            .each_ref()
            .map(|extent| read_extent(&mut partition, extent.as_ref()?).ok());
        let [first, second] = blocks.each_ref().map(Option::as_deref);
        let (table, stale) = SlotTable::choose([first, second], start.sequence);
        let is_seen = start.sequence.is_some_and(|sequence| {
            let has_sequence = |block: &Option<Vec<u8>>| {
                let read = block.as_deref().and_then(SlotTable::parse);
                read.is_some_and(|table| table.sequence == sequence)
            };
            blocks.iter().any(has_sequence)
        });
        Some(Self {
            esp: esp.to_owned(),
            disk,
            copies,
            misfits,
            stale,
            line,
            table,
            is_seen,
            twins: Vec::new(),
        })
    }

    pub fn table(&self) -> &SlotTable {
        &self.table
    }

    /// Whether GRUB's last write has reached the disk: without it GRUB counts nothing.
    pub fn is_seen(&self) -> bool {
        self.is_seen
    }

    /// The node of the machine's own disk, such as `/dev/sda`.
    pub fn disk(&self) -> &Path {
        &self.disk
    }

    /// Disks with the same GUIDs: copies of the machine's own disk.
    pub fn twins(&self) -> &[PathBuf] {
        &self.twins
    }

    /// Whether GRUB cannot use a copy of the block, or the copies differ.
    pub fn is_damaged(&self) -> bool {
        let mut copies = self.copies.iter().zip(self.stale);
        copies.any(|(copy, is_stale)| copy.is_some() && is_stale)
    }

    /// Whether a copy is missing, or its file has another size. [`Environment::store`] cannot make it anew.
    pub fn is_incomplete(&self) -> bool {
        self.copies.contains(&None)
    }

    /// Writes the table into both copies, and waits until the disk has them. Files of another size are emptied, so that GRUB
    /// does not count in them.
    ///
    /// # Errors
    ///
    /// The copy that GRUB trusts could not be written: the first, if it is there.
    pub fn store(&mut self, table: SlotTable) -> Result<()> {
        for misfit in self.misfits.iter().flatten() {
            let zeros = vec![0; usize::try_from(misfit.bytes)?];
            write_extent(&self.esp, misfit, &zeros).context("emptying a file of another size")?;
        }
        let bytes = table.render();
        let mut trusted = None;
        for (copy, path) in self.copies.iter().zip(ENVIRONMENTS) {
            let Some(extent) = copy else { continue };
            let written = write_extent(&self.esp, extent, &bytes);
            let written = written.with_context(|| format!("writing {path}"));
            trusted.get_or_insert(written);
        }
        let missing = || Err(anyhow::anyhow!("both environment blocks are missing"));
        trusted
            .unwrap_or_else(missing)
            .with_context(|| format!("counting the starts on {}", self.disk.display()))?;
        self.table = table;
        self.stale = [false; 2];
        Ok(())
    }

    /// The machine's own words of the kernel line.
    ///
    /// # Errors
    ///
    /// The file on the EFI system partition is missing or cannot be read. Damaged words are no words.
    pub fn kernel_line(&self) -> Result<String> {
        let reading = || format!("reading {KERNEL_LINE} of {}", self.esp.display());
        let mut partition = File::open(&self.esp).with_context(reading)?;
        let bytes = read_extent(&mut partition, self.line_extent()?).with_context(reading)?;
        Ok(machine_line::parse(&bytes).unwrap_or_default())
    }

    /// Replaces the machine's own words of the kernel line; the next boot has them.
    ///
    /// # Errors
    ///
    /// GRUB could not read the words, or the file is missing or cannot be written.
    pub fn store_kernel_line(&mut self, words: &str) -> Result<()> {
        let bytes = machine_line::render(words)?;
        write_extent(&self.esp, self.line_extent()?, &bytes)
            .with_context(|| format!("writing {KERNEL_LINE} of {}", self.esp.display()))
    }

    fn line_extent(&self) -> Result<&FileExtent> {
        self.line.as_ref().with_context(|| {
            format!(
                "looking for {KERNEL_LINE} on {}: the file is missing",
                self.esp.display()
            )
        })
    }
}

/// The partitions that can be the machine's EFI system partition: the one beside the mounted slot, else every FAT.
fn candidates(root: &Path) -> Vec<PathBuf> {
    let table = root.join(below_root(mount_table::OF_INIT));
    let mounts = mount_table::read(&table).unwrap_or_default();
    let beside_slot = mount_table::find(&mounts, Path::new(SLOT))
        .filter(|slot| block::partition_number(root, &slot.source).is_some())
        .and_then(|slot| {
            let disk = Path::new("/dev").join(block::disk_of(root, &slot.source)?);
            block::partition(root, &disk, Role::Esp.number())
        });
    if let Some(node) = beside_slot {
        return vec![node];
    }
    let is_fat = |device: &block::Device| device.superblock.fstype == VFAT;
    let devices = block::devices(root).into_iter().filter(is_fat);
    devices.map(|device| device.node).collect()
}

fn read_extent(partition: &mut File, extent: &FileExtent) -> io::Result<Vec<u8>> {
    partition.seek(SeekFrom::Start(extent.offset))?;
    let mut bytes = Vec::new();
    partition.take(extent.bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a whole file in place, and waits until the disk has it.
fn write_extent(partition: &Path, extent: &FileExtent, bytes: &[u8]) -> Result<()> {
    ensure!(
        extent.bytes == bytes.len() as u64,
        "the file has {} bytes and must have {}",
        extent.bytes,
        bytes.len()
    );
    let (partition, offset, bytes) = (partition.to_owned(), extent.offset, bytes.to_vec());
    let write = move || {
        let file = File::options()
            .write(true)
            .open(&partition)
            .with_context(|| format!("opening {}", partition.display()))?;
        file.write_all_at(&bytes, offset)
            .and_then(|()| file.sync_all())
            .with_context(|| format!("writing to {}", partition.display()))
    };
    deadline::run(DISK_TIMEOUT, "write to the boot disk", write, drop)
}
