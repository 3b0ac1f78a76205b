//! User-data formats and data sources of cloud-init, without a running system: the caller mounts the disks
//! and gives the HTTP client, each source returns its [`Data`].

mod address;
mod data;
mod encoding;
mod error;
mod firmware;
mod folder;
pub mod http;
pub mod network;
mod query;
mod size_limit;
mod source;
pub mod sources;
mod tftp;
pub mod user_data;

pub use address::Addresses;
pub use data::Data;
pub use error::SourceError;
pub use firmware::Firmware;
pub use http::Client;
pub use network::Network;
pub use query::Query;
pub use source::DataSource;
pub use user_data::UserData;
