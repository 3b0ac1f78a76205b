//! User-data formats and data sources of cloud-init, without a running system: the caller mounts the disks
//! and makes the HTTP client, and each source returns its [`Data`].
//!
//! Documents of foreign services must not make it panic: `ros` reads them while it brings the machine up.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod address;
mod data;
mod encoding;
mod error;
mod firmware;
mod folder;
pub mod http;
mod lease;
pub mod network;
mod query;
mod size_limit;
mod source;
pub mod sources;
mod tftp;
pub mod user_data;

pub use address::{Addresses, host, is_open_to_change};
pub use data::InstanceData;
pub use error::SourceError;
pub use firmware::Firmware;
pub use http::Client;
pub use lease::Lease;
pub use network::Network;
pub use query::Query;
pub use source::DataSource;
pub use user_data::UserData;
