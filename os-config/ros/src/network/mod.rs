//! The network container: static settings by iproute2, all other addresses by a single dhcpcd, which also serves
//! interfaces that appear later.
//!
//! It never touches the links of containers: only links that belong to hardware, or that the configuration names.

pub(crate) mod address_announcer;
pub(crate) mod commands;
mod links;
