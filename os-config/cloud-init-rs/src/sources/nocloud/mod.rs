//! NoCloud: a disk with files of fixed names, or the same files at an address.

pub mod disk;
pub mod network;
