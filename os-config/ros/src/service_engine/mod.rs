//! The service engine: it keeps the containers of System Docker and User Docker as the configuration describes them.

pub(crate) mod bring_up;
pub(crate) mod container_body;
pub(crate) mod effective_config;
pub(crate) mod late_config;
pub(crate) mod marks;
pub(crate) mod reconcile;
pub(crate) mod restart_policy;
pub(crate) mod scope;
pub(crate) mod service_container;
pub(crate) mod shutdown;
mod slot_count;
pub(crate) mod sysinit;
pub(crate) mod time_servers;
pub(crate) mod watch;
