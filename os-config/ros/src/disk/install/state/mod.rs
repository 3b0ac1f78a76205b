//! The state of a new machine: a filesystem that is made, or a partition that stays as it is.

pub(super) mod filesystem;
pub(super) mod images;
pub(super) mod medium_images;
pub(super) mod preserve;
