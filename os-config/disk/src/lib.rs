//! Recognises the contents of a disk. Pure: bytes in, values out; the crate `host` reads the devices.
//!
//! PID 1 runs this on disks of any origin: nothing in here may panic on input.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod bolt;
pub mod superblock;
