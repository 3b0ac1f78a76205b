//! Addresses of a link: the gateways of its networks, and an address that no server gives.

pub(crate) mod gateways;
pub(crate) mod link_local;
