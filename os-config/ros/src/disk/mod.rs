//! Disks of the running machine.

pub(crate) mod grow;
