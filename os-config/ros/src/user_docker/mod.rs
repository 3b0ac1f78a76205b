//! User Docker: the entrypoint of its container, and the user's containers, which stop before and start after
//! it.

mod apparmor;
pub(crate) mod daemon_deaths;
mod databases;
pub(crate) mod entrypoint;
mod health;
mod image_sync;
pub(crate) mod notices;
mod remapped_user;
mod sockets;
pub(crate) mod start_gate;
mod trial;
pub(crate) mod user_containers;
