//! Room on the state disk for a boot. Containers write as root, so neither ext4's reserved blocks nor quotas keep the
//! disk from being full, and a full disk keeps containers from starting: nobody could log in or remove anything.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statvfs::statvfs;

/// The largest size of the reserve, in bytes.
const LARGEST: u64 = 64 << 20;
/// The reserve is at most this part of its filesystem.
const PART_OF_FILESYSTEM: u64 = 50;
/// A boot with less room takes the reserve.
const ENOUGH: u64 = 32 << 20;
/// The reserve is made while it takes at most this part of the room.
const PART_OF_ROOM: u64 = 4;

/// What a boot does with the reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Keep,
    Make {
        size: u64,
    },
    Free,
    /// The disk is full and the reserve is gone.
    Full,
}

/// Makes the reserve `file`, or frees it if its filesystem is full. A full disk is an error, which says what to do.
pub(super) fn keep(file: &Path) -> Result<()> {
    let folder = file.parent().context("a reserve in no folder")?;
    let found =
        statvfs(folder).with_context(|| format!("reading the room of {}", folder.display()))?;
    let fragment = found.fragment_size();
    let size = fs::metadata(file).map_or(0, |found| found.len());
    match decide(
        size,
        found.blocks().saturating_mul(fragment),
        found.blocks_free().saturating_mul(fragment),
    ) {
        Decision::Keep => Ok(()),
        Decision::Make { size } => make(file, size)
            .inspect_err(|_| {
                let _ = fs::remove_file(file);
            })
            .with_context(|| format!("making {}", file.display())),
        Decision::Free => {
            fs::remove_file(file).with_context(|| format!("removing {}", file.display()))?;
            bail!(
                "the state disk is full; {} MB of reserve are free for this boot (hint: `df -h /home` and `docker system df` \
                 show the room; `docker image prune --all` removes unused images)",
                size >> 20
            )
        }
        Decision::Full => bail!(
            "the state disk is full (hint: remove what is not needed; `docker image prune --all` removes unused images)"
        ),
    }
}

fn decide(reserve: u64, total: u64, free: u64) -> Decision {
    let size = (total / PART_OF_FILESYSTEM).min(LARGEST);
    if size == 0 {
        return Decision::Keep;
    }
    let enough = ENOUGH.min(size);
    match (free < enough, reserve > 0) {
        (true, true) => Decision::Free,
        (true, false) => Decision::Full,
        (false, false) if free / PART_OF_ROOM >= size => Decision::Make { size },
        (false, _) => Decision::Keep,
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
    use super::{Decision, LARGEST, decide, make};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_reserve_is_freed_on_a_full_disk_and_made_on_one_with_room() {
        const GIB: u64 = 1 << 30;
        let size = LARGEST;
        for (reserve, total, free, expected) in [
            (0, 100 * GIB, 50 * GIB, Decision::Make { size }),
            (size, 100 * GIB, 50 * GIB, Decision::Keep),
            (size, 100 * GIB, 0, Decision::Free),
            (0, 100 * GIB, 0, Decision::Full),
            (0, 100 * GIB, 3 * size, Decision::Keep),
            (size, 100 * GIB, 3 * size, Decision::Keep),
            // A small disk has a small reserve.
            (0, GIB, GIB / 2, Decision::Make { size: GIB / 50 }),
            (GIB / 50, GIB, 1 << 20, Decision::Free),
            (0, 0, 0, Decision::Keep),
        ] {
            assert_eq!(
                decide(reserve, total, free),
                expected,
                "{reserve} {total} {free}"
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
