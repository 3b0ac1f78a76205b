//! The console container: logins, files, mounts and the user's own commands.

pub(crate) mod accounts;
pub(crate) mod ca_certs;
pub(crate) mod entrypoint;
mod host_keys;
mod motd;
pub(crate) mod mounts;
mod profile;
pub(crate) mod respawn;
pub(crate) mod runcmd;
pub(crate) mod ssh_server;
mod terminals;
pub(crate) mod user_path;
pub(crate) mod write_files;
