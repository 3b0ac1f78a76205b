//! Information about the running machine: its status, a report, the timeline of the boot.

pub(crate) mod boot_time;
pub(crate) mod report;
pub(crate) mod secrets;
pub(crate) mod status;
