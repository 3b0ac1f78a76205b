//! The default routes of the machine: one for each link with a gateway, in the order of the links' names.
//!
//! `core::net` has the addresses without the sockets.

use core::net::IpAddr;

use os_config::Interface;

use crate::command::{NetworkCommand, ip};

/// Links with gateways of both address families, sorted by name. The first link's route outranks all others, and all
/// of them outrank DHCP's.
#[derive(Debug)]
pub(crate) struct Gateways<'a> {
    ipv4: Vec<&'a str>,
    ipv6: Vec<&'a str>,
}

impl<'a> Gateways<'a> {
    pub(crate) fn new(links: &[(&'a str, &Interface)]) -> Self {
        let names = |is_wanted: fn(&IpAddr) -> bool| {
            let with_gateway = links
                .iter()
                .filter(|(_, interface)| gateways_of(interface).iter().any(is_wanted));
            let mut names: Vec<&str> = with_gateway.map(|(name, _)| *name).collect();
            names.sort_unstable();
            names
        };
        Self {
            ipv4: names(IpAddr::is_ipv4),
            ipv6: names(IpAddr::is_ipv6),
        }
    }

    /// The commands for the default routes of a link.
    pub(crate) fn commands(&self, name: &str, interface: &Interface) -> Vec<NetworkCommand> {
        let gateways = gateways_of(interface).into_iter();
        let command = |gateway: IpAddr| {
            let names = if gateway.is_ipv4() {
                &self.ipv4
            } else {
                &self.ipv6
            };
            let rank = names.iter().position(|known| *known == name).unwrap_or(0);
            let text = gateway.to_string();
            let route = ["route", "replace", "default", "via", &text, "dev", name];
            let mut command = if gateway.is_ipv4() {
                ip(&route)
            } else {
                ip(&["-6"]).with(route)
            };
            // To IPv6 no metric means 1024, which is behind DHCP's routes.
            let metric = if gateway.is_ipv4() { rank } else { rank + 1 };
            if metric > 0 {
                command = command.with(["metric", &metric.to_string()]);
            }
            if !reaches(interface, gateway) {
                command = command.with(["onlink"]);
            }
            command
        };
        gateways.map(command).collect()
    }
}

/// The first gateway of each address family.
pub(crate) fn gateways_of(interface: &Interface) -> Vec<IpAddr> {
    let texts = interface.gateway.iter().chain(&interface.gateway_ipv6);
    let mut found: Vec<IpAddr> = Vec::new();
    for gateway in texts.filter_map(|text| text.parse::<IpAddr>().ok()) {
        if !found
            .iter()
            .any(|known| known.is_ipv4() == gateway.is_ipv4())
        {
            found.push(gateway);
        }
    }
    found
}

/// Whether the kernel takes the gateway by itself: it is in a network of the link. DHCP's address is not there yet when
/// the routes are set.
fn reaches(interface: &Interface, gateway: IpAddr) -> bool {
    let link_local = matches!(gateway, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let mut networks = interface.address.iter().chain(&interface.addresses);
    link_local || networks.any(|network| contains(network, gateway))
}

/// Whether the network of an address with its prefix length contains another address.
fn contains(network: &str, address: IpAddr) -> bool {
    let Some((own, length)) = network.split_once('/') else {
        return false;
    };
    let differing = match (own.parse(), address) {
        (Ok(IpAddr::V4(own)), IpAddr::V4(address)) => {
            u128::from(u32::from(own) ^ u32::from(address)) << 96
        }
        (Ok(IpAddr::V6(own)), IpAddr::V6(address)) => u128::from(own) ^ u128::from(address),
        _ => return false,
    };
    // Addresses of IPv4 differ in the first 32 bits alone.
    let same = differing.leading_zeros();
    length.parse::<u32>().is_ok_and(|length| same >= length)
}
