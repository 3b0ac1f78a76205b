//! New and emptied state disks: which disk is formatted, and what a reset leaves.

pub(crate) mod autoformat;
pub(crate) mod reset;
