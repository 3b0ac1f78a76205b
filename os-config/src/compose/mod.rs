//! Compose: the services that system and user containers are made from.

pub mod build;
pub(crate) mod env_file;
mod image_parts;
pub mod order;
pub mod ports;
pub(crate) mod references;
pub(crate) mod relative_paths;
pub mod service;
pub(crate) mod volume_containers;
