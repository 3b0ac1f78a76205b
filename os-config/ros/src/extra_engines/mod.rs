//! Extra engines: User Dockers beside the first. An engine of the catalogue is found and tried as for a switch, and it
//! runs in the container of a service.

pub(crate) mod client_command;
pub(crate) mod commands;
pub(crate) mod list;
