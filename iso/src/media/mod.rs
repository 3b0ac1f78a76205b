//! The files that a machine boots from: the ISO and the initrds.

pub(crate) mod cpio;
pub(crate) mod initrd;
pub(crate) mod initrd_modules;
pub(crate) mod iso;
pub(crate) mod netboot;
