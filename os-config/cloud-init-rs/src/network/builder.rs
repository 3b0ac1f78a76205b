//! Collects the valid parts of a network configuration, and a problem for each invalid part.

use super::link::{Link, Network};
use crate::address;

/// More links than any machine has; further links are dropped.
const MAX_LINKS: usize = 256;
/// The kernel's limit for a name.
const MAX_NAME_LENGTH: usize = 15;

/// A network while a document is read.
pub(super) struct NetworkBuilder<'a> {
    pub(super) network: Network,
    pub(super) problems: &'a mut Vec<String>,
}

impl NetworkBuilder<'_> {
    pub(super) fn add_problem(&mut self, text: String) {
        self.problems.push(format!("network configuration: {text}"));
    }

    pub(super) fn add_link(&mut self, link: Link) {
        // A name beside a MAC address is only a label in the document and is never used.
        match link.mac.as_ref().or(link.name.as_ref()) {
            None => self.add_problem("a link without a name and a MAC address".to_owned()),
            Some(name) if !is_link_name(name) => {
                let text = format!("{name:?} is no name of a link and no MAC address");
                self.add_problem(text);
            }
            Some(_) if self.network.links.len() < MAX_LINKS => self.network.links.push(link),
            Some(_) => {}
        }
    }

    pub(super) fn add_nameserver(&mut self, text: String) {
        let known = &mut self.network.nameservers;
        if text.parse::<std::net::IpAddr>().is_err() {
            self.add_problem(format!("{text:?} is no address of a name server"));
        } else if !known.contains(&text) {
            known.push(text);
        }
    }

    pub(super) fn add_search_domain(&mut self, text: String) {
        let known = &mut self.network.search;
        let fits = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if !fits || text.is_empty() {
            self.add_problem(format!("{text:?} is no domain"));
        } else if !known.contains(&text) {
            known.push(text);
        }
    }

    /// An address with its prefix length; without a mask it is the address of a single host.
    pub(super) fn parse_address(&mut self, address: &str, mask: Option<&str>) -> Option<String> {
        let (address, mask) = match (address.split_once('/'), mask) {
            (Some((address, length)), _) => (address, length),
            (None, Some(mask)) => (address, mask),
            (None, None) => (address, if address.contains(':') { "128" } else { "32" }),
        };
        let found = address::cidr(address, mask);
        if found.is_none() {
            self.add_problem(format!(
                "expected an address with a prefix length, found {address:?} and {mask:?}"
            ));
        }
        found
    }

    pub(super) fn set_gateway(&mut self, link: &mut Link, gateway: &str) {
        match gateway.parse() {
            Ok(std::net::IpAddr::V4(ip)) => link.gateway_ipv4 = Some(ip.to_string()),
            Ok(std::net::IpAddr::V6(ip)) => link.gateway_ipv6 = Some(ip.to_string()),
            Err(_) => self.add_problem(format!("{gateway:?} is no address of a gateway")),
        }
    }

    /// Adds a route; a default route sets the link's gateway.
    pub(super) fn add_route(&mut self, link: &mut Link, to: &str, mask: Option<&str>, via: &str) {
        if to == "default" {
            return self.set_gateway(link, via);
        }
        let Some(to) = self.parse_address(to, mask) else {
            return;
        };
        if to == "0.0.0.0/0" || to == "::/0" {
            self.set_gateway(link, via);
        } else if via.parse::<std::net::IpAddr>().is_ok() {
            link.routes.push((to, via.to_owned()));
        } else {
            self.add_problem(format!("{via:?} is no address of a gateway"));
        }
    }
}

/// Whether a name is safe: names become arguments of programs and parts of shell commands.
fn is_link_name(name: &str) -> bool {
    let is_mac = name.len() == 17 && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    let is_name = name.len() <= MAX_NAME_LENGTH
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '*')
        && name.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'*' | b'?')
        });
    is_mac || is_name
}
