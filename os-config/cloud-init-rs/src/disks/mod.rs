//! Data sources on disks, a file each.

pub mod azure;
pub mod configdrive;
pub mod nocloud;
pub mod ovf;

use crate::network::{self, Network};

/// Network configuration from a file's content; what cannot be used of it is a problem of the whole.
pub(crate) fn network(bytes: Option<Vec<u8>>, problems: &mut Vec<String>) -> Option<Network> {
    network::parse(&bytes?, problems)
}
