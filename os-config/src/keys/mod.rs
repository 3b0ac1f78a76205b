//! The keys of a cloud-config, a file for each subject: its types, read and checked.

pub mod agent;
pub mod ca_certs;
pub mod docker_daemon;
pub mod extra_engines;
pub mod logins;
pub mod mounts;
pub mod network;
pub mod ntp;
pub mod passwords;
pub mod users;
pub mod wireless;
pub mod write_files;
