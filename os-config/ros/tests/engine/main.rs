//! `ros` against the dockerd of the built OS image, without a virtual machine: each test has a sandbox of its own, see
//! `sandbox.rs`. The console with its ssh server, the engine in its container and all images are the OS image's own.

mod bring_up;
mod console;
mod daemon_settings;
mod damage;
mod extra_engines;
mod forwarding;
mod install;
mod reconcile;
mod sandbox;
mod service;
mod shutdown;
mod switch;
