//! The VM test harness: boots PaddockOS in QEMU, talks to it over its serial
//! console, QMP and ssh, and keeps what a failed test leaves behind.
//!
//! A test hands a [`MachineSpec`] and a closure to [`run`]; tests that only
//! read share one boot through [`Shared`]. Nothing here waits by sleeping for
//! a guessed time: every wait is on an event, has a deadline and names itself.

pub mod accel;
pub mod argv;
pub mod artifacts;
pub mod badlines;
pub mod broken;
pub mod carrier;
pub mod catalogue;
pub mod cloud;
pub mod comparator;
pub mod console;
pub mod datasource;
pub mod disk;
pub mod figures;
pub mod guest;
pub mod http;
pub mod image;
pub mod machine;
pub mod measure;
pub mod outside;
pub mod qmp;
pub mod registry;
pub mod scenario;
pub mod seed;
pub mod shared;
pub mod slots;
pub mod spawn;
pub mod spec;
pub mod ssh;
pub mod wait;

pub use machine::{Machine, run};
pub use seed::UserData;
pub use shared::Shared;
pub use spec::{Carrier, Chipset, Firmware, MachineSpec, Network, Nic, SeedKind};
