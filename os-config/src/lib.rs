//! PaddockOS's configuration: RancherOS's cloud-config, typed, merged and checked.
//!
//! Pure but for [`load`], which reads files below a root. PID 1 depends on this crate: nothing in it
//! panics on input, and a value that is wrong costs that value, not the boot.

pub mod compose;
pub mod config;
pub mod document;
pub mod kernel_line;
pub mod keys;
pub mod load;
mod nearest;
pub mod problem;
pub mod rancher;
mod read;
pub mod schema;
pub mod substitute;
pub mod template;
pub mod validate;
pub mod whole_file;
mod words;
pub mod yaml;

pub use crate::keys::engine::Engine;
pub use crate::keys::login::Login;
pub use crate::keys::machine_wide::{CaCerts, Ntp, Password};
pub use crate::keys::mount::{Mount, Swap};
pub use crate::keys::network::{Interface, Network};
pub use crate::keys::user::{Group, User};
pub use crate::keys::write_file::WriteFile;
pub use config::{Command, Config};
pub use load::Loaded;
pub use problem::{Problem, Severity};
pub use rancher::{Rancher, Ssh, State, Upgrade};

/// The defaults that the image ships, without the services that the build adds.
pub const DEFAULTS: &str = include_str!("../defaults/os-config.yml");
