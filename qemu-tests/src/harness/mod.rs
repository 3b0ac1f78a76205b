//! The virtual machine: how a test declares it, starts it, talks to it, waits for it and judges its console.

pub mod artifacts;
pub mod bad_lines;
pub mod console;
pub mod media;
pub mod paths;
pub mod qemu;
pub mod results;
pub mod shared_vm;
pub mod spawn;
pub mod spec;
pub mod ssh;
pub mod vm;
pub mod vm_permits;
pub mod wait;
