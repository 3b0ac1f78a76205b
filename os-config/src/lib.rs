//! PaddockOS's configuration: RancherOS's cloud-config, typed, merged and checked.
//!
//! The crate reads files below a root and replaces files; it starts no process and opens no connection. PID 1 depends
//! on it: no input makes it panic, and a wrong value costs that value, not the boot.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod atomic_file;
pub mod bounded_file;
pub mod compose;
mod config;
mod defaults;
mod diagnostic;
pub mod document;
pub mod kernel_line;
pub mod keys;
pub mod load;
pub mod paths;
mod rancher;
mod reader;
pub mod schema;
pub mod shell_pattern;
mod substitute;
pub mod switchable;
pub mod template;
pub mod validate;
pub mod yaml;

pub use crate::diagnostic::{Diagnostic, Severity};
pub use crate::keys::ca_certs::CaCerts;
pub use crate::keys::daemons::ntp::Ntp;
pub use crate::keys::daemons::rsyslog::Rsyslog;
pub use crate::keys::docker_daemon::DaemonOptions;
pub use crate::keys::logins::Login;
pub use crate::keys::mounts::{Mount, Swap};
pub use crate::keys::network::{Interface, Network, Vlan, parse_vlans};
pub use crate::keys::passwords::Password;
pub use crate::keys::users::{Group, User};
pub use crate::keys::write_files::WriteFile;
pub use config::{Command, Config};
pub use defaults::DEFAULTS;
pub use load::LoadedConfig;
pub use rancher::{CloudInit, Rancher, Repository, Ssh, State, Upgrade};
pub use switchable::Switchable;
