//! What a machine tells of itself: status, report, the boot's timeline.

pub(crate) mod boot_time;
pub(crate) mod report;
mod secrets;
pub(crate) mod status;
