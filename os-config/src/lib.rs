//! PaddockOS's configuration: RancherOS's cloud-config, typed, merged and checked.
//!
//! Pure but for [`load`], which reads files below a root. PID 1 depends on this crate: nothing in it
//! panics on input, and a value that is wrong costs that value, not the boot.

pub mod agent;
pub mod build;
pub mod cmdline;
pub mod config;
pub mod document;
pub mod dotted;
pub mod engine;
mod env_file;
pub mod further;
mod last_good;
pub mod load;
pub mod login;
pub mod machine_wide;
pub mod merge;
pub mod mount;
mod nearest;
pub mod network;
mod node;
pub mod order;
pub mod problem;
pub mod rancher;
mod read;
mod scalar;
pub mod schema;
pub mod services;
pub mod substitute;
pub mod template;
pub mod user;
pub mod validate;
mod volume_containers;
pub mod whole_file;
pub mod wireless;
mod words;
pub mod write_file;
mod yaml;

pub use config::{Command, Config};
pub use engine::Engine;
pub use load::Loaded;
pub use login::Login;
pub use machine_wide::{CaCerts, Ntp, Password};
pub use mount::{Mount, Swap};
pub use network::{Interface, Network};
pub use problem::{Problem, Severity};
pub use rancher::{Rancher, Ssh, State, Upgrade};
pub use user::{Group, User};
pub use write_file::WriteFile;

/// The defaults that the image ships, without the services that the build adds.
pub const DEFAULTS: &str = include_str!("../defaults/os-config.yml");
