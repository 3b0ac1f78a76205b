//! QEMU: its arguments, its process, its monitor and the accelerator that it runs with.

pub mod accel;
pub mod argv;
pub mod process;
pub mod qmp;
