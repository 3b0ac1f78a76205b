//! The parts of PaddockOS that are Debian's: trees of packages, the kernel and tools.

pub(crate) mod dpkg;
pub(crate) mod kernel;
pub(crate) mod modules;
pub(crate) mod root;
