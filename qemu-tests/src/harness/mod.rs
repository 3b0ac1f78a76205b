//! The virtual machine: it is declared, started, talked to, waited for and judged.

pub mod artifacts;
pub mod bad_lines;
pub mod console;
pub mod media;
pub mod paths;
pub mod qemu;
pub mod shared_vm;
pub mod spawn;
pub mod spec;
pub mod ssh;
pub mod vm;
pub mod vm_permits;
pub mod wait;
