//! The service engine: containers of System Docker and User Docker as the configuration asks for them.

pub(crate) mod apply;
pub(crate) mod container;
pub(crate) mod load;
pub(crate) mod reconcile;
pub(crate) mod restart;
pub(crate) mod start;
pub(crate) mod stop;
pub(crate) mod sysinit;
pub(crate) mod time_servers;
pub(crate) mod user_containers;
pub(crate) mod watch;
