//! Extra engines: User Dockers beside the first.

pub(crate) mod client_command;
pub(crate) mod commands;
pub(crate) mod list;
