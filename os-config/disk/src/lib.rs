//! The content of a disk: what is recognised on any disk, and the layout, partition table, boot files and slots of an
//! installed disk. Pure: bytes and readers in, values and bytes out; the crates `host` and `ros` open the devices.
//!
//! PID 1 runs this on disks of any origin: nothing in here may panic on input.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod bios_boot;
pub mod bolt;
pub mod boot_menu;
pub mod docker_machine;
pub mod esp;
pub mod fat;
pub mod grub_env;
pub mod layout;
pub mod machine_line;
pub mod partition_table;
pub mod slots;
pub mod superblock;
pub mod window;
