//! Block devices: their names, filesystems and disks, whether buses may still bring one, and which may configure the
//! machine.

mod bus;
mod device;
mod medium;
mod partition;
mod seed;
pub mod verity;

pub use bus::BusActivity;
pub use device::{
    Device, DeviceName, devices, disk_of, find, has_recorded_error, is_removable, read_superblock,
    silent_nodes,
};
pub use medium::{can_lose_medium, is_cd, is_medium_gone};
pub use partition::{partition, partition_by_guid, partition_number, sector_bytes, whole_disks};
pub use seed::{image_disk, own_disks, refusal};
