//! The decisions of boot, supervision and shutdown. Pure: configuration, facts, devices and events in, lists of steps,
//! stages and actions out.

pub(crate) mod engine_health;
pub(crate) mod first_checks;
pub(crate) mod kernel_protection;
pub(crate) mod mounts;
pub(crate) mod oem;
pub(crate) mod rescue;
pub(crate) mod shutdown;
pub(crate) mod slots;
pub(crate) mod state;
pub(crate) mod state_content;
pub(crate) mod state_disk;
pub(crate) mod supervision;
pub(crate) mod sysinit_health;
pub(crate) mod watchdog;
