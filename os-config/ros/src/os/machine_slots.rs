//! The slots of the machine: the table that the boot loader counts with, and the version in each slot.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use disk::slots::Slot;
use host::block;
use host::kernel_line;
use host::paths::{SLOT, below_root};
use host::perform::mount::mount_within;
use host::perform::unmount::try_unmount;
use host::slot::environment::Environment;
use host::slot::start::{self, SlotStart};
use host::step::Step;

use crate::disk::slot_image;

const MOUNT_TIMEOUT: Duration = Duration::from_secs(10);

/// The slots of an installed machine.
#[derive(Debug)]
pub(super) struct MachineSlots {
    pub(super) start: SlotStart,
    pub(super) environment: Environment,
    /// The versions of both slots; `None` for a slot that cannot be read.
    versions: [Option<String>; 2],
}

impl MachineSlots {
    /// Reads them; `None` on a machine that did not start from a slot of a disk.
    pub(super) fn read(root: &Path) -> Result<Option<Self>> {
        let Some(start) = start::read(&kernel_line::read(root)) else {
            return Ok(None);
        };
        let environment = Environment::open(root, &start)?;
        let mounted = version_below(&root.join(below_root(SLOT)));
        // With paddock.toram no slot is mounted.
        let version = |slot: Slot| match (slot == start.slot, &mounted) {
            (true, Some(version)) => Some(version.clone()),
            _ => version_of_partition(root, environment.disk(), slot),
        };
        let versions = Slot::ALL.map(version);
        Ok(Some(Self {
            start,
            environment,
            versions,
        }))
    }

    pub(super) fn version(&self, slot: Slot) -> Option<&str> {
        let [a, b] = &self.versions;
        match slot {
            Slot::A => a.as_deref(),
            Slot::B => b.as_deref(),
        }
    }
}

/// The version of the system that runs. This program is in the same image as the file, which a machine without a slot
/// does not have.
pub(super) fn running_version(root: &Path) -> String {
    let version = version_below(&root.join(below_root(SLOT)));
    version.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned())
}

fn version_below(slot: &Path) -> Option<String> {
    let text = fs::read_to_string(slot.join(slot_image::VERSION)).ok()?;
    slot_image::version(&text).map(str::to_owned)
}

/// The version of a slot that is not mounted.
fn version_of_partition(root: &Path, disk: &Path, slot: Slot) -> Option<String> {
    let partition = block::partition(root, disk, slot.role().number())?;
    // A slot that was never written has no filesystem.
    read_mounted(&partition).unwrap_or_default()
}

fn read_mounted(partition: &Path) -> Result<Option<String>> {
    let folder = tempfile::tempdir().context("making a folder for the slot")?;
    let step = Step::Mount {
        source: partition.display().to_string(),
        target: folder.path().to_owned(),
        fstype: "ext2".to_owned(),
        options: "ro,nosuid,nodev,noexec".to_owned(),
    };
    mount_within(MOUNT_TIMEOUT, &step)?;
    let version = version_below(folder.path());
    try_unmount(folder.path());
    Ok(version)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use host::paths::{SLOT, below_root};

    use super::{MachineSlots, running_version};

    #[test]
    fn a_machine_without_slots_has_a_version() {
        let root = tempfile::tempdir().unwrap();
        assert!(MachineSlots::read(root.path()).unwrap().is_none());
        assert_eq!(running_version(root.path()), env!("CARGO_PKG_VERSION"));
        let slot = root.path().join(below_root(SLOT));
        fs::create_dir_all(&slot).unwrap();
        fs::write(slot.join("version"), "version=1.2.3\nbuild_id=abc\n").unwrap();
        assert_eq!(running_version(root.path()), "1.2.3");
    }
}
