//! The parts of PaddockOS that are Debian's: trees of packages, the kernel and tools.

pub(crate) mod bootstrap;
pub(crate) mod catalogue_base;
pub(crate) mod dpkg;
pub(crate) mod grub;
pub(crate) mod kernel;
pub(crate) mod lists;
pub(crate) mod mmdebstrap;
pub(crate) mod modules;
pub(crate) mod passwords;
pub(crate) mod privileges;
pub(crate) mod root;
pub(crate) mod suite;
pub(crate) mod tools;
