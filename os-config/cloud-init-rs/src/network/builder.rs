//! Collects the valid parts of a network configuration, and a problem for each invalid part.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_yaml::Value;

use super::link::{Link, LinkKind, Network, Route, is_mac};
use super::yaml::text;
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

/// The keys of a part of a document.
pub(super) struct Keys<'a> {
    /// Keys with an effect, and keys that ask for what happens anyway.
    pub(super) done: &'a [&'a str],
    /// Keys of the format without an effect here.
    pub(super) not_done: &'a [&'a str],
}

impl NetworkBuilder<'_> {
    pub(super) fn add_problem(&mut self, text: String) {
        self.problems.push(format!("network configuration: {text}"));
    }

    /// Names each key of the part `name` that has no effect.
    pub(super) fn check_keys(&mut self, name: &str, part: &Value, keys: &Keys<'_>) {
        let entries = part.as_mapping().into_iter().flatten();
        for (key, value) in entries.filter_map(|(key, value)| Some((text(key)?, value))) {
            let key = key.as_str();
            let is_off = matches!(value, Value::Null | Value::Bool(false));
            if keys.done.contains(&key) || keys.not_done.contains(&key) && is_off {
                continue;
            }
            let reason = if keys.not_done.contains(&key) {
                "PaddockOS does not do this"
            } else {
                "unknown key"
            };
            self.add_problem(format!("{name}: {key}: {reason}; it has no effect"));
        }
    }

    pub(super) fn add_link(&mut self, link: Link) {
        // A name beside a MAC address is only a label in the document and is never used.
        match link.mac.as_ref().or(link.name.as_ref()) {
            None => self.add_problem("a link without a name and a MAC address".to_owned()),
            Some(name) if !is_link_name(name) => {
                let text = format!("\"{name}\" is no name of a link and no MAC address");
                self.add_problem(text);
            }
            Some(_) if self.network.links.len() < MAX_LINKS => self.network.links.push(link),
            Some(_) => {}
        }
    }

    /// Names each link that two bonds or two bridges have for a member. A bond in place of a bridge is the network's plan
    /// to tell.
    pub(super) fn check_members(&mut self) {
        let mut known: BTreeMap<(bool, String), &str> = BTreeMap::new();
        let mut found = Vec::new();
        for link in &self.network.links {
            let (is_bond, members) = match &link.kind {
                LinkKind::Bond { members, .. } => (true, members),
                LinkKind::Bridge { members, .. } => (false, members),
                _ => continue,
            };
            let name = link.name.as_deref().unwrap_or_default();
            for member in members {
                let key = (is_bond, self.network.key_of(member));
                if let Some(other) = known.insert(key, name).filter(|other| *other != name) {
                    found.push(format!(
                        "{member}: it is a member of {other} and of {name}; a link can be in one of them, and {name} counts"
                    ));
                }
            }
        }
        for text in found {
            self.add_problem(text);
        }
    }

    pub(super) fn add_nameserver(&mut self, text: String) {
        let known = &mut self.network.nameservers;
        if text.parse::<IpAddr>().is_err() {
            self.add_problem(format!("\"{text}\" is no address of a name server"));
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
            self.add_problem(format!("\"{text}\" is no domain"));
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
                "expected an address with a prefix length, found \"{address}\" and \"{mask}\""
            ));
        }
        found
    }

    /// A MAC address.
    pub(super) fn parse_mac(&mut self, name: &str, text: String) -> Option<String> {
        if is_mac(&text) {
            return Some(text);
        }
        self.add_problem(format!("{name}: \"{text}\" is no MAC address"));
        None
    }

    /// A number at a key, up to `largest`.
    pub(super) fn number(
        &mut self,
        name: &str,
        part: &Value,
        key: &str,
        largest: u32,
    ) -> Option<u32> {
        let found = part.get(key).and_then(text)?;
        let number = found.parse().ok().filter(|number| *number <= largest);
        if number.is_none() {
            self.add_problem(format!(
                "{name}: {key}: expected a number up to {largest}, found \"{found}\""
            ));
        }
        number
    }

    /// The size of the largest packet; 0 stands for the link's own.
    pub(super) fn mtu(&mut self, name: &str, part: &Value) -> Option<u32> {
        const LARGEST: u32 = 65535;
        self.number(name, part, "mtu", LARGEST)
            .filter(|mtu| *mtu > 0)
    }

    /// Sets the gateway of an address family. The first gateway of a link counts.
    pub(super) fn set_gateway(&mut self, link: &mut Link, gateway: &str) {
        let slot = match gateway.parse() {
            Ok(IpAddr::V4(_)) => &mut link.gateway_ipv4,
            Ok(IpAddr::V6(_)) => &mut link.gateway_ipv6,
            Err(_) => {
                return self.add_problem(format!("\"{gateway}\" is no address of a gateway"));
            }
        };
        match slot {
            None => *slot = Some(gateway.to_owned()),
            Some(first) if first != gateway => {
                let text = format!("a link with two gateways: {first} counts, {gateway} does not");
                self.add_problem(text);
            }
            Some(_) => {}
        }
    }

    /// Adds a route. A default route that says nothing but its gateway sets the link's gateway.
    pub(super) fn add_route(&mut self, link: &mut Link, mut route: Route, mask: Option<&str>) {
        if route.to != "default" {
            match self.parse_address(&route.to, mask) {
                None => return,
                Some(to) => route.to = to,
            }
        }
        if route.to == "0.0.0.0/0" || route.to == "::/0" {
            route.to = "default".to_owned();
        }
        for address in route.via.iter().chain(&route.source) {
            if address.parse::<IpAddr>().is_err() {
                return self.add_problem(format!(
                    "route to {}: \"{address}\" is no address of a gateway",
                    route.to
                ));
            }
        }
        let plain = Route {
            to: "default".to_owned(),
            via: route.via.clone(),
            // The plan puts every gateway on the link that is in none of the link's networks.
            on_link: route.on_link,
            ..Route::default()
        };
        match &route.via {
            Some(via) if route == plain => self.set_gateway(link, &via.clone()),
            _ => link.routes.push(route),
        }
    }
}

/// Whether a name is safe: names become arguments of programs and parts of shell commands.
pub(super) fn is_link_name(name: &str) -> bool {
    let is_name = name.len() <= MAX_NAME_LENGTH
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '*')
        && name.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'*' | b'?')
        });
    is_mac(name) || is_name
}
