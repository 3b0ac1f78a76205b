//! The slots of an installed machine: the slot that GRUB has started, and the environment block that counts the starts.

pub mod environment;
pub mod start;
pub mod table_lock;
