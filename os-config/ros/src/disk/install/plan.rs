//! The steps of an installation. Pure: sizes in, steps out.
//!
//! Power may fail after each step. Until the old tables are erased, the disk holds what it held before. From then on it
//! holds no partition table, so no firmware starts from it and no system takes a part of it for a filesystem: it is not
//! installed, and another installation begins as on an empty disk. The partition table comes last. The write of its
//! first sectors, with the boot code in them, is the one write that makes the disk bootable; only the copy of the table
//! at the disk's end follows it, and a disk without that copy boots too.
//!
//! Where the state stays, the table that is written in place of the erasing names the state partition alone.

use std::fmt;

use anyhow::{Result, ensure};
use disk::layout::{Layout, Role};
use disk::slots::Slot;

/// GRUB's boot code for BIOS knows sectors of this size alone. UEFI takes larger sectors too.
const BIOS_SECTOR_BYTES: u64 = 512;

/// The archives may fill this part of the state: a third for them, a third for the images, a third for the machine.
const ARCHIVE_SHARE: u64 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The files of the system have the digests that they were made with.
    CheckSystem,
    /// No other program may use the disk from now on.
    Claim,
    /// The first and the last MiB become zeros, and the copies of ext4's superblock.
    EraseTables,
    /// The filesystem of a state that stays is in order.
    CheckState,
    /// The partition table names the state partition alone.
    HideSystem,
    /// All of a slot but its first block.
    WriteSlot(Slot),
    /// The slots are compared with the image, and get their first blocks.
    ReadSlotsBack,
    WriteEsp,
    /// With the cloud-config in it.
    MakeState,
    /// The cloud-config lies in a state that stays.
    SeedState,
    /// The part of GRUB that BIOS starts, in its partition.
    WriteBootCode,
    WriteTable,
}

/// The sizes that a plan depends on, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct InstallFacts {
    pub(super) disk_bytes: u64,
    pub(super) sector_bytes: u64,
    pub(super) image_bytes: u64,
    pub(super) preserved: Option<PreservedFacts>,
    /// The archives of images in the new state.
    pub(super) archive_bytes: u64,
}

/// The facts of a state partition that stays.
#[derive(Clone, Copy, Debug)]
pub(super) struct PreservedFacts {
    pub(super) bytes: u64,
    pub(super) gets_cloud_config: bool,
}

/// The partitions of a disk, and the steps that make them.
#[derive(Debug)]
pub(super) struct InstallPlan {
    pub(super) layout: Layout,
    pub(super) steps: Vec<Step>,
}

/// Plans an installation.
///
/// # Errors
/// The disk is too small, has sectors of an unknown size, or its slots are too small for the image.
pub(super) fn plan(facts: InstallFacts) -> Result<InstallPlan> {
    let InstallFacts {
        disk_bytes,
        sector_bytes,
        image_bytes,
        preserved,
        archive_bytes,
    } = facts;
    ensure!(
        matches!(sector_bytes, 512 | 4096),
        "the disk has sectors of {sector_bytes} bytes, and only 512 and 4096 are known"
    );
    let mut layout = Layout::new(disk_bytes, sector_bytes)?;
    if let Some(preserved) = preserved {
        layout = layout.with_state_bytes(preserved.bytes);
    }
    let slot_bytes = layout.partition(Role::SlotA).bytes;
    ensure!(
        image_bytes <= slot_bytes,
        "the image of the system has {image_bytes} bytes, and a slot has {slot_bytes}"
    );
    let state_bytes = layout.partition(Role::State).bytes;
    ensure!(
        archive_bytes <= state_bytes / ARCHIVE_SHARE,
        "the images have {} MiB as archives and as much again once they are loaded, and the state has {} MiB",
        archive_bytes >> 20,
        state_bytes >> 20
    );
    let (before, state) = state_steps(preserved);
    let mut steps = vec![Step::CheckSystem, Step::Claim];
    steps.extend(before);
    steps.extend([
        Step::WriteSlot(Slot::A),
        Step::WriteSlot(Slot::B),
        Step::ReadSlotsBack,
        Step::WriteEsp,
    ]);
    steps.extend(state);
    steps.extend(has_boot_code(sector_bytes).then_some(Step::WriteBootCode));
    steps.push(Step::WriteTable);
    Ok(InstallPlan { layout, steps })
}

/// The steps before the system is written, and the step that makes the state.
fn state_steps(preserved: Option<PreservedFacts>) -> (Vec<Step>, Option<Step>) {
    match preserved {
        None => (vec![Step::EraseTables], Some(Step::MakeState)),
        Some(preserved) if preserved.gets_cloud_config => (
            vec![Step::CheckState, Step::HideSystem],
            Some(Step::SeedState),
        ),
        Some(_) => (vec![Step::HideSystem], None),
    }
}

/// Whether BIOS can start from a disk with such sectors.
pub(super) fn has_boot_code(sector_bytes: u64) -> bool {
    sector_bytes == BIOS_SECTOR_BYTES
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CheckSystem => "check the system",
            Self::Claim => "claim the disk",
            Self::EraseTables => "erase old tables",
            Self::CheckState => "check state filesystem",
            Self::HideSystem => "write partition table of the state alone",
            Self::WriteSlot(Slot::A) => "write slot A",
            Self::WriteSlot(Slot::B) => "write slot B",
            Self::ReadSlotsBack => "read slots back",
            Self::WriteEsp => "write ESP",
            Self::MakeState => "make state filesystem",
            Self::SeedState => "write cloud-config into state",
            Self::WriteBootCode => "write boot code",
            Self::WriteTable => "write partition table",
        })
    }
}

impl fmt::Display for InstallPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "partitions:")?;
        for partition in &self.layout.partitions {
            let (role, mib) = (partition.role, partition.bytes >> 20);
            let (number, name) = (role.number(), role.name());
            writeln!(f, "  {number} {name:<13} {mib:>8} MiB")?;
        }
        writeln!(f, "steps:")?;
        let count = self.steps.len();
        for (index, step) in self.steps.iter().enumerate() {
            writeln!(f, "  [{}/{count}] {step}", index + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{InstallFacts, PreservedFacts, Step, plan};

    const FACTS: InstallFacts = InstallFacts {
        disk_bytes: 4 << 30,
        sector_bytes: 512,
        image_bytes: 200 << 20,
        preserved: None,
        archive_bytes: 0,
    };

    #[test]
    fn the_partition_table_comes_last_and_its_erasing_first() {
        let steps = plan(FACTS).unwrap().steps;
        assert_eq!(
            steps[..3],
            [Step::CheckSystem, Step::Claim, Step::EraseTables]
        );
        assert_eq!(
            steps[steps.len() - 2..],
            [Step::WriteBootCode, Step::WriteTable]
        );
        let large = plan(InstallFacts {
            sector_bytes: 4096,
            ..FACTS
        });
        let large = large.unwrap().steps;
        assert!(!large.contains(&Step::WriteBootCode));
        assert_eq!(large.len() + 1, steps.len());
    }

    #[test]
    fn a_state_that_stays_is_neither_erased_nor_made() {
        for (gets_cloud_config, before, after) in [
            (false, &[Step::HideSystem] as &[Step], &[] as &[Step]),
            (
                true,
                &[Step::CheckState, Step::HideSystem],
                &[Step::SeedState],
            ),
        ] {
            let preserved = Some(PreservedFacts {
                bytes: 1 << 30,
                gets_cloud_config,
            });
            let plan = plan(InstallFacts { preserved, ..FACTS }).unwrap();
            assert_eq!(plan.layout.partitions[4].bytes, 1 << 30);
            let steps = plan.steps.as_slice();
            assert_eq!(steps[..2], [Step::CheckSystem, Step::Claim]);
            assert_eq!(&steps[2..2 + before.len()], before);
            assert_eq!(&steps[6 + before.len()..steps.len() - 2], after);
            for step in [Step::EraseTables, Step::MakeState] {
                assert!(!steps.contains(&step), "{step}");
            }
        }
    }

    #[test]
    fn a_plan_is_a_text() {
        let text = plan(FACTS).unwrap().to_string();
        for line in [
            "  2 EFI                288 MiB\n",
            "  4 PADDOCK_B          512 MiB\n",
            "  [2/10] claim the disk\n",
            "  [10/10] write partition table\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn disks_and_images_that_do_not_fit_are_refused() {
        for (facts, expected) in [
            (
                InstallFacts {
                    disk_bytes: 1 << 30,
                    ..FACTS
                },
                "",
            ),
            (
                InstallFacts {
                    sector_bytes: 520,
                    ..FACTS
                },
                "sectors of 520 bytes",
            ),
            (
                InstallFacts {
                    image_bytes: 513 << 20,
                    ..FACTS
                },
                "a slot has 536870912",
            ),
            (
                InstallFacts {
                    archive_bytes: 1 << 30,
                    ..FACTS
                },
                "the images have 1024 MiB",
            ),
        ] {
            let error = plan(facts).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
