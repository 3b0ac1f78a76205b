//! What a data source says of a machine.

use crate::address::Addresses;
use crate::network::Network;

/// What a data source says of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// As given: see [`crate::user_data::parts`].
    pub user_data: Vec<u8>,
    pub hostname: Option<String>,
    pub ssh_keys: Vec<String>,
    pub instance_id: Option<String>,
    /// What the provider adds to user-data, in the same formats.
    pub vendor_data: Vec<u8>,
    pub network: Option<Network>,
    pub addresses: Addresses,
    /// The disk that the system runs from, where the provider says so: `/dev/xvda`.
    pub root_disk: Option<String>,
    /// What of the source could not be used, in words.
    pub problems: Vec<String>,
}
