//! The OS image: the OS root, System Docker's image store, and the list of their packages.

pub(crate) mod archive;
pub(crate) mod base_layer;
pub(crate) mod boot_files;
mod boot_order;
pub(crate) mod defaults;
pub(crate) mod image;
pub(crate) mod packages;
pub(crate) mod store;
pub(crate) mod tree;
pub(crate) mod verity;
