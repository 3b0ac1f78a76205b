//! The virtual machine: it is declared, started, talked to, waited for and judged.

pub mod accel;
pub mod argv;
pub mod artifacts;
pub mod badlines;
pub mod console;
pub mod machine;
pub mod media;
pub mod qmp;
pub mod shared;
pub mod slots;
pub mod spawn;
pub mod spec;
pub mod ssh;
pub mod wait;
