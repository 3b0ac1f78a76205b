//! The plan of the machine's network: from the configuration and the links to commands and texts of files.
//!
//! Pure: this crate reads no file, starts no process and opens no socket. `ros netconf` performs the plan.

#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod addresses;
mod check;
mod command;
mod conflict;
mod container_links;
pub mod dhcpcd;
mod layers;
mod link;
mod pattern;
mod plan;
pub mod resolv_conf;
mod settings;
mod virtual_links;

pub use crate::check::{absent_links, conflicts};
pub use crate::command::NetworkCommand;
pub use crate::conflict::Conflict;
pub use crate::link::Link;
pub use crate::plan::{plan, post_commands, pre_commands};
pub use crate::settings::settings;
pub use crate::virtual_links::VirtualLinks;
