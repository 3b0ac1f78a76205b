//! The service engine: containers of System Docker and User Docker as the configuration asks for them.

pub(crate) mod bring_up;
pub(crate) mod container;
pub(crate) mod effective_config;
pub(crate) mod late_config;
pub(crate) mod reconcile;
pub(crate) mod restart;
pub(crate) mod shutdown;
pub(crate) mod sysinit;
pub(crate) mod time_servers;
pub(crate) mod user_containers;
pub(crate) mod watch;
