//! The files that a machine boots from: the slot image, the ISO and the initrds.

pub(crate) mod cpio;
pub(crate) mod disk_images;
mod efi_image;
pub(crate) mod initrd;
pub(crate) mod initrd_modules;
pub(crate) mod iso;
pub(crate) mod netboot;
mod ovf;
pub(crate) mod rot_signature;
pub(crate) mod slot;
pub(crate) mod user_images;
