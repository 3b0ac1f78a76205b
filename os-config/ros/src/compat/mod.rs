//! Small programs that RancherOS's scripts call.

pub(crate) mod dev;
pub(crate) mod env;
pub(crate) mod wait_for_docker;
