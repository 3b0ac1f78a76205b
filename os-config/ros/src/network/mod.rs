//! The network container: static settings by iproute2, all other addresses by a single dhcpcd, which also serves
//! interfaces that appear later.
//!
//! It touches only links that belong to hardware or that the configuration names, never the links of containers.

pub(crate) mod netconf;

pub(crate) mod address_announcer;
pub(crate) mod default_route;
pub(crate) mod forwarding;
pub(crate) mod links;
pub(crate) mod netconsole;
