//! The engines as `ros` talks to them: one client for System Docker and User Docker.

pub(crate) mod build;
pub(crate) mod client;
pub(crate) mod container;
pub(crate) mod container_lock;
pub(crate) mod hollow_images;
pub(crate) mod image_sync;
pub(crate) mod images;
pub(crate) mod network;
pub(crate) mod preload;
pub(crate) mod progress;
pub(crate) mod registry;
pub(crate) mod retire;
pub(crate) mod stop;

pub(crate) use client::{Client, SYSTEM, USER, runtime};
pub(crate) use container::Container;
