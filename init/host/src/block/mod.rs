//! Block devices: their names, filesystems and disks, and whether buses may still bring one.

mod bus;
mod device;

pub use bus::BusActivity;
pub use device::{Device, DeviceName, devices, disk_of, find, is_removable, read_superblock};
