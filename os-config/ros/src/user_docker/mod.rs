//! User Docker: the entrypoint of its container, and the user's containers over its stops and starts.

pub(crate) mod entrypoint;
pub(crate) mod user_containers;
