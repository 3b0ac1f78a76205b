//! NoCloud: a disk with files of fixed names, or the same files at an address.

pub(super) mod disk;
pub(super) mod meta_data;
pub(super) mod network;
