//! The VM test harness: boots PaddockOS in QEMU, talks to it over its serial
//! console, QMP and ssh, and keeps what a failed test leaves behind.
//!
//! A test hands a [`VmSpec`] and a closure to [`run`]; tests that only
//! read share one boot through [`SharedVm`]. Nothing here waits by sleeping for
//! a guessed time: every wait is on an event, has a deadline and names itself.

pub mod bench;
pub mod fixtures;
pub mod harness;
pub mod interactive_vm;
pub mod services;

pub use harness::media::seed::{self, UserData};
pub use harness::qemu::accel;
pub use harness::shared_vm::SharedVm;
pub use harness::spec;
pub use harness::spec::{BootMedium, Chipset, Firmware, Network, Nic, SeedKind, VmSpec};
pub use harness::vm::{Vm, run};
