//! The media that a virtual machine is started with.

pub mod carrier;
pub mod disk;
pub mod seed;
