//! What the kernel tells of the machine: the only parsers of the files below `/proc`, and of its log.

pub mod kernel_log;
pub mod memory;
pub mod mount_table;
pub mod process_stat;
