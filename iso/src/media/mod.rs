//! The files that a machine boots from: the slot image, the ISO and the initrds.

pub(crate) mod cpio;
mod efi_image;
pub(crate) mod initrd;
pub(crate) mod initrd_modules;
pub(crate) mod iso;
pub(crate) mod netboot;
pub(crate) mod rot_signature;
pub(crate) mod slot;
