//! The keys of a cloud-config, a file for each subject: its types, read and checked.

pub mod agent;
pub mod engine;
pub mod further;
pub mod login;
pub mod machine_wide;
pub mod mount;
pub mod network;
pub mod user;
pub mod wireless;
pub mod write_file;
