//! Extra engines: User Dockers beside the first. An engine of the catalogue is found and tried as for a switch, and its
//! container is a service's.

pub(crate) mod client_command;
pub(crate) mod commands;
pub(crate) mod list;
