//! The media that a virtual machine is started with.

pub mod boot_medium;
pub mod disk;
pub mod initrd;
pub mod secure_boot;
pub mod seed;
pub mod uefi;
