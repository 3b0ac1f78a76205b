//! The VM test harness: it boots PaddockOS in QEMU, talks to it over the serial console, QMP and ssh, and keeps the
//! traces of a failed test.
//!
//! A test hands a [`VmSpec`] and a closure to [`run`]; tests that only read share one boot through [`SharedVm`].
//! Nothing waits for a guessed time: every wait is for an event, has a deadline, and names the event in its error.

pub mod bench;
pub mod fixtures;
pub mod harness;
pub mod interactive_vm;
pub mod servers;

pub use harness::media::seed::UserData;
pub use harness::shared_vm::SharedVm;
pub use harness::spec::{BootMedium, Chipset, Firmware, Network, Nic, SeedKind, VmSpec};
pub use harness::vm::{Vm, run};
