//! The decisions of boot and shutdown. Pure: configuration, facts and devices in, lists of steps and stages out.

pub(crate) mod mounts;
pub(crate) mod shutdown;
pub(crate) mod state;
