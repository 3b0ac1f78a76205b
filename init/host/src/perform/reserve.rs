//! Room on the state disk for logins, changes of the configuration and starts of containers. Containers write as root,
//! so neither ext4's reserved blocks nor quotas keep the disk from being full. A file holds the room free: a boot removes
//! it from a full disk, and so does `ros sysinit` while the machine runs.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statfs::{Statfs, TMPFS_MAGIC, statfs};

/// The largest size of the reserve, in bytes.
const LARGEST: u64 = 64 << 20;
/// The reserve is at most this part of its filesystem.
const PART_OF_FILESYSTEM: u64 = 50;
/// A boot with less room takes the reserve: it starts every container.
pub const ENOUGH_FOR_BOOT: u64 = 32 << 20;
/// A running machine with less room takes the reserve.
pub const ENOUGH_WHILE_RUNNING: u64 = 8 << 20;
/// The reserve is made while it takes at most this part of the room.
const PART_OF_ROOM: u64 = 4;

/// The room of the filesystem with the reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is room for a reserve, which is made now or was there.
    Reserved,
    /// There is enough room, and too little for a reserve.
    Enough,
    /// The filesystem is full. The reserve of so many bytes is removed now.
    Freed(u64),
    /// The filesystem is full and has no reserve.
    Full,
}

impl Room {
    /// The problem of a full disk, and what to do; `None` with enough room.
    pub fn problem(self) -> Option<String> {
        const HINT: &str = "`df -h /home` and `docker system df` show the room; `docker image prune --all` removes unused \
            images";
        match self {
            Self::Reserved | Self::Enough => None,
            Self::Freed(bytes) => Some(format!(
                "the state disk is full; {} MB of reserve are free for now (hint: {HINT})",
                bytes >> 20
            )),
            Self::Full => Some(format!(
                "the state disk is full, and so is its reserve (hint: remove what is not needed; {HINT})"
            )),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Make { size: u64 },
    Remove,
}

/// Removes the reserve `file` if its filesystem has less than `enough` bytes of room, and makes it if there is plenty.
/// A filesystem in memory needs no reserve.
pub fn keep(file: &Path, enough: u64) -> Result<Room> {
    let folder = file.parent().context("a reserve in no folder")?;
    let found = filesystem(folder)?;
    if found.filesystem_type() == TMPFS_MAGIC {
        return Ok(Room::Enough);
    }
    let size = fs::metadata(file).map_or(0, |found| found.len());
    let (room, change) = decide(
        size,
        bytes(&found, found.blocks()),
        available(&found),
        enough,
    );
    match change {
        Change::None => {}
        Change::Make { size } => make(file, size)
            .inspect_err(|_| {
                let _ = fs::remove_file(file);
            })
            .with_context(|| format!("making {}", file.display()))?,
        Change::Remove => {
            fs::remove_file(file).with_context(|| format!("removing {}", file.display()))?;
        }
    }
    Ok(room)
}

/// The bytes that a container can still take on the filesystem with `folder`.
pub fn free_bytes(folder: &Path) -> Result<u64> {
    filesystem(folder).map(|found| available(&found))
}

fn filesystem(folder: &Path) -> Result<Statfs> {
    statfs(folder).with_context(|| format!("reading the room of {}", folder.display()))
}

/// Layers of containers take no block that ext4 reserves.
fn available(found: &Statfs) -> u64 {
    bytes(found, found.blocks_available())
}

fn bytes(found: &Statfs, blocks: u64) -> u64 {
    blocks.saturating_mul(u64::try_from(found.block_size()).unwrap_or_default())
}

fn decide(reserve: u64, total: u64, free: u64, enough: u64) -> (Room, Change) {
    let size = (total / PART_OF_FILESYSTEM).min(LARGEST);
    if size == 0 {
        return (Room::Enough, Change::None);
    }
    match (free < enough.min(size), reserve > 0) {
        (true, true) => (Room::Freed(reserve), Change::Remove),
        (true, false) => (Room::Full, Change::None),
        (false, true) => (Room::Reserved, Change::None),
        (false, false) if free / PART_OF_ROOM >= size => (Room::Reserved, Change::Make { size }),
        (false, false) => (Room::Enough, Change::None),
    }
}

/// Takes the room without writing it.
fn make(file: &Path, size: u64) -> Result<()> {
    let mut options = OpenOptions::new();
    let new = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    let size = i64::try_from(size)?;
    fallocate(&new, FallocateFlags::empty(), 0, size)?;
    Ok(new.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::{Change, ENOUGH_FOR_BOOT, ENOUGH_WHILE_RUNNING, LARGEST, Room, decide, make};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_reserve_is_freed_on_a_full_disk_and_made_on_a_disk_with_room() {
        const MIB: u64 = 1 << 20;
        const GIB: u64 = 1 << 30;
        let size = LARGEST;
        let made = |size| (Room::Reserved, Change::Make { size });
        let freed = |size| (Room::Freed(size), Change::Remove);
        let [boot, running] = [ENOUGH_FOR_BOOT, ENOUGH_WHILE_RUNNING];
        for (reserve, total, free, enough, expected) in [
            (0, 100 * GIB, 50 * GIB, boot, made(size)),
            (
                size,
                100 * GIB,
                50 * GIB,
                boot,
                (Room::Reserved, Change::None),
            ),
            (size, 100 * GIB, 0, boot, freed(size)),
            (0, 100 * GIB, 0, boot, (Room::Full, Change::None)),
            (0, 100 * GIB, 3 * size, boot, (Room::Enough, Change::None)),
            (
                size,
                100 * GIB,
                3 * size,
                boot,
                (Room::Reserved, Change::None),
            ),
            // A boot needs more room.
            (size, 100 * GIB, 20 * MIB, boot, freed(size)),
            (
                size,
                100 * GIB,
                20 * MIB,
                running,
                (Room::Reserved, Change::None),
            ),
            (size, 100 * GIB, 5 * MIB, running, freed(size)),
            // A small disk has a small reserve.
            (0, GIB, GIB / 2, boot, made(GIB / 50)),
            (GIB / 50, GIB, MIB, boot, freed(GIB / 50)),
            (0, 0, 0, boot, (Room::Enough, Change::None)),
        ] {
            assert_eq!(
                decide(reserve, total, free, enough),
                expected,
                "{reserve} {total} {free} {enough}"
            );
        }
    }

    #[test]
    fn the_reserve_takes_its_room_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("reserve");
        make(&file, 1 << 20).unwrap();
        let found = std::fs::metadata(&file).unwrap();
        assert!(found.blocks() * 512 >= 1 << 20, "{} blocks", found.blocks());
        assert!(make(&file, 1 << 20).is_err(), "it is there");
    }
}
