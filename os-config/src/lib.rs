//! PaddockOS's configuration: RancherOS's cloud-config, typed, merged and checked.
//!
//! Pure but for [`load`], which reads files below a root. PID 1 depends on this crate: nothing in it
//! panics on input, and a value that is wrong costs that value, not the boot.

pub mod cmdline;
pub mod config;
pub mod document;
pub mod dotted;
pub mod engine;
pub mod load;
pub mod merge;
pub mod network;
pub mod order;
pub mod problem;
mod read;
pub mod services;
pub mod validate;
pub mod write_file;

pub use config::{Command, Config, Rancher, Ssh, State};
pub use engine::Engine;
pub use load::Loaded;
pub use network::{Interface, Network};
pub use problem::{Problem, Severity};
pub use write_file::WriteFile;
