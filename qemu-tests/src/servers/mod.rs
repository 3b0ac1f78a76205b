//! Servers on the host's loopback, which machines ask instead of the real network, and the images that they serve.

pub mod cloud;
pub mod host_services;
pub mod http;
pub mod image;
pub mod registry;
