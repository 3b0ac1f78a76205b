//! PID 1 of PaddockOS as a library: what the `init` binary runs, and the few pieces that `ros`
//! shares with it (console lines, timeline, superblocks, child supervision).
//!
//! Nothing in here may panic on input: as PID 1 that would be a kernel panic.
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod announce;
pub mod block;
pub mod boot;
pub mod children;
pub mod control;
pub mod helper;
pub mod image;
pub mod kernel_line;
pub mod loop_device;
pub mod machine;
pub mod modules;
pub mod names;
pub mod perform;
pub mod plan;
pub mod problems;
pub mod rescue;
pub mod shutdown;
pub mod state_disk;
pub mod step;
pub mod superblock;
pub mod supervise;
pub mod system_docker;
pub mod timeline;
pub mod watchdog;
