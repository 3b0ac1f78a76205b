//! The keys of a cloud-config, a file for each subject: its types, read and checked.

pub(crate) mod agent;
pub(crate) mod ca_certs;
pub(crate) mod daemons;
pub mod docker_daemon;
pub mod docker_opts;
pub mod extra_engines;
pub mod logins;
pub mod mounts;
pub(crate) mod network;
pub(crate) mod passwords;
pub(crate) mod ssh_keys;
pub(crate) mod users;
pub(crate) mod wireless;
pub(crate) mod write_files;
