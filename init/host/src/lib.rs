//! The running machine as PID 1 and `ros` both see and change it: steps and their performers, devices, consoles,
//! problems, the boot's timeline. It does not talk to Docker.
//!
//! PID 1 runs this crate: nothing in here may panic on input.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod block;
pub mod console;
pub mod containerd;
pub mod control;
pub mod dockerd;
pub mod facts;
pub mod kernel_line;
pub mod modules;
pub mod paths;
pub mod perform;
pub mod problems;
pub mod proc;
pub mod process;
pub mod restart;
pub mod settings;
pub mod slot;
pub mod state_problems;
pub mod step;
pub mod timeline;
pub mod zram;
