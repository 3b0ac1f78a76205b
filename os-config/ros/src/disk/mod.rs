//! Disks: growing partitions of the machine's own, emptying its state, installing the system to another, and starting a
//! slot without its boot loader.

pub(crate) mod grow;
pub(crate) mod install;
pub(crate) mod kexec;
pub(crate) mod reset;
pub(crate) mod slot_image;
