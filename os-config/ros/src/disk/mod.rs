//! Disks: growing partitions of the machine's own, emptying its state, and installing the system to another.

pub(crate) mod grow;
pub(crate) mod install;
pub(crate) mod reset;
pub(crate) mod slot_image;
