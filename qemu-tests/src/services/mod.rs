//! Servers on the host's loopback, which machines ask instead of the real network.

pub mod cloud;
pub mod http;
pub mod image;
pub mod outside;
pub mod registry;
