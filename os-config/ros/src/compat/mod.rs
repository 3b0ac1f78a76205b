//! Small programs that RancherOS's scripts call.

pub(crate) mod entry;
