//! The data of a machine that a data source gives.

use crate::address::Addresses;
use crate::network::Network;

/// User-data, metadata and network configuration of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceData {
    /// Unchanged bytes, which [`crate::user_data::parts`] takes apart.
    pub user_data: Vec<u8>,
    pub hostname: Option<String>,
    pub ssh_keys: Vec<String>,
    pub instance_id: Option<String>,
    /// The provider's own user-data, in the same formats.
    pub vendor_data: Vec<u8>,
    pub network: Option<Network>,
    pub addresses: Addresses,
    /// The disk that the system runs from, if the provider names it: `/dev/xvda`.
    pub root_disk: Option<String>,
    /// The address of the user-data, where a person has chosen it.
    pub user_data_address: Option<String>,
    /// Messages about the parts of the source that cannot be used.
    pub problems: Vec<String>,
}
