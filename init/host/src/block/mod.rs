//! Block devices: their names, filesystems and disks, and whether buses may still bring one.

mod bus;
mod device;
mod medium;

pub use bus::BusActivity;
pub use device::{Device, DeviceName, devices, disk_of, find, is_removable, read_superblock};
pub use medium::{can_lose_medium, is_medium_gone};
