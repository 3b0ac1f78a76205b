//! What the kernel shows of the machine below `/proc`: the only parsers of these files.

pub mod memory;
pub mod mount_table;
pub mod process_stat;
