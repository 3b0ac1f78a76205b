//! User Docker: the entrypoint of its container, and the user's containers, which stop before and start after
//! it.

mod apparmor;
mod container_limits;
pub(crate) mod daemon_deaths;
mod databases;
pub(crate) mod entrypoint;
mod health;
pub(crate) mod notices;
pub(crate) mod restart_list;
pub(crate) mod user_containers;
