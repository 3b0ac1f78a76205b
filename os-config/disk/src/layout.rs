//! Where the partitions of an installed disk lie. `ros install` and the build of disk images use the same layout.

use thiserror::Error;

const MIB: u64 = 1 << 20;
/// Partitions begin at multiples of it: it is one for every size of sectors and of flash pages.
const ALIGNMENT: u64 = MIB;
/// The partition table lies before the first partition, its copy behind the last.
const TABLE_BYTES: u64 = MIB;
const BIOS_BOOT_BYTES: u64 = MIB;
/// With clusters of 4 KiB it has enough of them for FAT32.
const ESP_BYTES: u64 = 288 * MIB;
const SLOT_BYTES: u64 = 512 * MIB;
const SMALLEST_STATE_BYTES: u64 = 256 * MIB;

/// What a partition is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The boot loader of a BIOS.
    BiosBoot,
    /// The EFI system partition.
    Esp,
    SlotA,
    SlotB,
    State,
}

impl Role {
    /// All roles, in the order of their partitions.
    pub const ALL: [Self; 5] = [
        Self::BiosBoot,
        Self::Esp,
        Self::SlotA,
        Self::SlotB,
        Self::State,
    ];

    /// The number of the partition; the first is 1.
    pub fn number(self) -> u32 {
        match self {
            Self::BiosBoot => 1,
            Self::Esp => 2,
            Self::SlotA => 3,
            Self::SlotB => 4,
            Self::State => 5,
        }
    }

    /// The partition's name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::BiosBoot => "BIOS boot",
            Self::Esp => "EFI",
            Self::SlotA => "PADDOCK_A",
            Self::SlotB => "PADDOCK_B",
            Self::State => "RANCHER_STATE",
        }
    }
}

/// A partition, in bytes from the start of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    pub role: Role,
    pub first_byte: u64,
    pub bytes: u64,
}

/// The partitions of a disk, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub disk_bytes: u64,
    pub sector_bytes: u64,
    pub partitions: [Partition; 5],
}

/// A disk that cannot hold the partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the disk has {found_mib} MiB, and an installation needs {needed_mib} MiB")]
pub struct TooSmall {
    pub found_mib: u64,
    pub needed_mib: u64,
}

impl Layout {
    /// Lays the partitions out on a disk; the state gets the rest.
    ///
    /// # Errors
    ///
    /// The disk is too small.
    pub fn new(disk_bytes: u64, sector_bytes: u64) -> Result<Self, TooSmall> {
        let fixed = TABLE_BYTES + BIOS_BOOT_BYTES + ESP_BYTES + 2 * SLOT_BYTES;
        let end = disk_bytes.saturating_sub(TABLE_BYTES) / ALIGNMENT * ALIGNMENT;
        let state_bytes = end.saturating_sub(fixed);
        if state_bytes < SMALLEST_STATE_BYTES {
            return Err(TooSmall {
                found_mib: disk_bytes / MIB,
                needed_mib: (fixed + SMALLEST_STATE_BYTES + TABLE_BYTES) / MIB,
            });
        }
        let mut next = TABLE_BYTES;
        let partitions = Role::ALL.map(|role| {
            let bytes = match role {
                Role::BiosBoot => BIOS_BOOT_BYTES,
                Role::Esp => ESP_BYTES,
                Role::SlotA | Role::SlotB => SLOT_BYTES,
                Role::State => state_bytes,
            };
            let first_byte = next;
            next += bytes;
            Partition {
                role,
                first_byte,
                bytes,
            }
        });
        Ok(Self {
            disk_bytes,
            sector_bytes,
            partitions,
        })
    }

    /// The same layout with another length of the state, which comes last.
    #[must_use]
    pub fn with_state_bytes(mut self, bytes: u64) -> Self {
        let [.., state] = &mut self.partitions;
        state.bytes = bytes;
        self
    }

    /// The partition of this role.
    pub fn partition(&self, role: Role) -> &Partition {
        let [bios_boot, esp, slot_a, slot_b, state] = &self.partitions;
        match role {
            Role::BiosBoot => bios_boot,
            Role::Esp => esp,
            Role::SlotA => slot_a,
            Role::SlotB => slot_b,
            Role::State => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Layout, MIB, Role};

    #[test]
    fn partitions_follow_each_other_and_the_state_gets_the_rest() {
        for (mib, sector_bytes, state_mib) in [
            (2048, 512, 733),
            (2048, 4096, 733),
            (4 << 20, 512, (4 << 20) - 1315),
        ] {
            let layout = Layout::new(mib * MIB, sector_bytes).unwrap();
            let mut next = MIB;
            for (partition, role) in layout.partitions.iter().zip(Role::ALL) {
                assert_eq!((partition.role, partition.first_byte), (role, next));
                assert_eq!(layout.partition(role), partition);
                next += partition.bytes;
            }
            assert_eq!(layout.partition(Role::State).bytes, state_mib * MIB);
        }
        // A size that is no multiple of the alignment.
        let odd = Layout::new(2048 * MIB + 4096, 512).unwrap();
        assert_eq!(odd.partition(Role::State).bytes, 733 * MIB);
        let short = odd.clone().with_state_bytes(MIB);
        assert_eq!(short.partition(Role::State).bytes, MIB);
        assert_eq!(short.partitions[..4], odd.partitions[..4]);
    }

    #[test]
    fn a_small_disk_is_refused_with_the_size_that_it_needs() {
        assert!(Layout::new(1571 * MIB, 512).is_ok());
        for mib in [0, 1, 1024, 1570] {
            let error = Layout::new(mib * MIB, 512).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the disk has {mib} MiB, and an installation needs 1571 MiB")
            );
        }
    }
}
