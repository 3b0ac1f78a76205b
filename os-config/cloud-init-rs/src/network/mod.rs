//! Network configuration as data sources give it, in one form whatever it was written in.

mod openstack;
mod v1;
mod v2;

use serde_json::{Map, Value as Json, json};
use serde_yaml::Value;

use crate::address;

/// A machine's links and name servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    pub links: Vec<Link>,
    pub nameservers: Vec<String>,
    pub search: Vec<String>,
}

/// A link with its addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The kernel's name, or a pattern of names.
    pub name: Option<String>,
    /// In preference to the name.
    pub mac: Option<String>,
    pub kind: LinkKind,
    pub dhcp: bool,
    /// With prefix lengths.
    pub addresses: Vec<String>,
    pub gateway_ipv4: Option<String>,
    pub gateway_ipv6: Option<String>,
    pub mtu: Option<u32>,
    /// Destination with prefix length, and gateway.
    pub routes: Vec<(String, String)>,
}

/// What a link is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkKind {
    #[default]
    Physical,
    /// Of the links with these names or MAC addresses; options as the kernel's bonding driver names them.
    Bond {
        members: Vec<String>,
        options: Vec<(String, String)>,
    },
    Bridge {
        members: Vec<String>,
    },
    Vlan {
        id: u16,
        link: String,
    },
}

/// More links than any machine has; what comes after them is left out.
const MAX_LINKS: usize = 256;
/// The kernel's limit for a name.
const MAX_NAME_LENGTH: usize = 15;

/// Reads cloud-init's network configuration, version 1 or 2, with or without a `network:` around it, or
/// OpenStack's `network_data.json`. What of it cannot be used goes to `problems`, in words.
///
/// Sources: cloud-init's documentation ("Networking config Version 1", "… Version 2"), OpenStack's
/// specification of the metadata service.
pub fn parse(bytes: &[u8], problems: &mut Vec<String>) -> Option<Network> {
    let Ok(value) = serde_yaml::from_slice::<Value>(bytes) else {
        problems.push("network configuration: expected YAML".to_owned());
        return None;
    };
    let value = value.get("network").unwrap_or(&value);
    let mut builder = NetworkBuilder {
        network: Network::default(),
        problems,
    };
    match (value.get("version").and_then(text).as_deref(), value) {
        (_, Value::Null) => return None,
        (Some("1"), _) => v1::read(value, &mut builder),
        (Some("2"), _) => v2::read(value, &mut builder),
        (None, _) if value.get("links").is_some() || value.get("networks").is_some() => {
            openstack::read(value, &mut builder);
        }
        _ => {
            let expected = "network configuration: expected `version: 1` or `version: 2`";
            builder.problems.push(expected.to_owned());
            return None;
        }
    }
    let network = builder.network;
    (network != Network::default()).then_some(network)
}

/// A network that is being read.
struct NetworkBuilder<'a> {
    network: Network,
    problems: &'a mut Vec<String>,
}

impl NetworkBuilder<'_> {
    fn add_problem(&mut self, text: String) {
        self.problems.push(format!("network configuration: {text}"));
    }

    fn add_link(&mut self, link: Link) {
        // The name beside a MAC address is the document's own and goes nowhere.
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

    fn add_nameserver(&mut self, text: String) {
        let known = &mut self.network.nameservers;
        if text.parse::<std::net::IpAddr>().is_err() {
            self.add_problem(format!("{text:?} is no address of a name server"));
        } else if !known.contains(&text) {
            known.push(text);
        }
    }

    fn add_search_domain(&mut self, text: String) {
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

    /// An address with prefix length; without one it is a host's.
    fn parse_address(&mut self, address: &str, mask: Option<&str>) -> Option<String> {
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

    fn set_gateway(&mut self, link: &mut Link, gateway: &str) {
        match gateway.parse() {
            Ok(std::net::IpAddr::V4(ip)) => link.gateway_ipv4 = Some(ip.to_string()),
            Ok(std::net::IpAddr::V6(ip)) => link.gateway_ipv6 = Some(ip.to_string()),
            Err(_) => self.add_problem(format!("{gateway:?} is no address of a gateway")),
        }
    }

    /// A route; one to everywhere is the link's gateway.
    fn add_route(&mut self, link: &mut Link, to: &str, mask: Option<&str>, via: &str) {
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

/// Names go to programs as arguments, and some into commands.
fn is_link_name(name: &str) -> bool {
    let is_mac = name.len() == 17 && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    let is_name = name.len() <= MAX_NAME_LENGTH
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '*')
        && name.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'*' | b'?')
        });
    is_mac || is_name
}

/// A scalar as a text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// The text at a key.
fn text_at(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(text)
}

/// The texts at a key: one, or a list.
fn texts_at(value: &Value, key: &str) -> Vec<String> {
    match value.get(key) {
        Some(Value::Sequence(items)) => items.iter().filter_map(text).collect(),
        Some(one) => text(one).into_iter().collect(),
        None => Vec::new(),
    }
}

fn items_at<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(key)
        .and_then(Value::as_sequence)
        .into_iter()
        .flatten()
}

fn is_true_at(value: &Value, key: &str) -> bool {
    text_at(value, key).is_some_and(|text| matches!(text.as_str(), "true" | "yes" | "on" | "True"))
}

fn mtu(value: &Value) -> Option<u32> {
    text_at(value, "mtu")?.parse().ok().filter(|mtu| *mtu > 0)
}

impl Network {
    /// The same as `rancher.network` of a cloud-config.
    pub fn to_cloud_config(&self) -> Json {
        let mut interfaces = Map::new();
        for link in &self.links {
            let key = link.key();
            interfaces.insert(key, link.to_interface(self));
            if let LinkKind::Vlan { id, link: parent } = &link.kind {
                let name = link.name.clone().unwrap_or_default();
                let below = interfaces
                    .entry(parent.clone())
                    .or_insert_with(|| json!({}));
                let known = below["vlans"].as_str().map(|list| format!("{list},"));
                below["vlans"] = json!(format!("{}{id}:{name}", known.unwrap_or_default()));
            }
        }
        let mut network = Map::new();
        if !interfaces.is_empty() {
            network.insert("interfaces".to_owned(), Json::Object(interfaces));
        }
        if !self.nameservers.is_empty() || !self.search.is_empty() {
            let dns = json!({"nameservers": self.nameservers, "search": self.search});
            network.insert("dns".to_owned(), dns);
        }
        json!({"rancher": {"network": network}})
    }
}

impl Link {
    fn key(&self) -> String {
        match (&self.mac, &self.name) {
            // What is made of other links has its members' MAC address as well.
            (Some(mac), _) if self.kind == LinkKind::Physical => {
                format!("mac:{}", mac.to_lowercase())
            }
            (_, name) => name.clone().unwrap_or_default(),
        }
    }

    fn to_interface(&self, network: &Network) -> Json {
        let mut keys = json!({"dhcp": self.dhcp});
        let mut set = |key: &str, value: Json| {
            keys[key] = value;
        };
        if !self.addresses.is_empty() {
            set("addresses", json!(self.addresses));
        }
        if let Some(gateway) = &self.gateway_ipv4 {
            set("gateway", json!(gateway));
        }
        if let Some(gateway) = &self.gateway_ipv6 {
            set("gateway_ipv6", json!(gateway));
        }
        if let Some(mtu) = self.mtu {
            set("mtu", json!(mtu));
        }
        if !self.routes.is_empty() {
            let commands: Vec<String> = self
                .routes
                .iter()
                .map(|(to, via)| format!("ip route replace {to} via {via} dev $iface"))
                .collect();
            set("post_up", json!(commands));
        }
        if let LinkKind::Bond { options, .. } = &self.kind {
            let options: Map<String, Json> = options
                .iter()
                .map(|(key, value)| (key.clone(), json!(value)))
                .collect();
            set("bond_opts", Json::Object(options));
        }
        for other in &network.links {
            let (key, members) = match &other.kind {
                LinkKind::Bond { members, .. } => ("bond", members),
                LinkKind::Bridge { members } => ("bridge", members),
                _ => continue,
            };
            let is_member = members.iter().any(|member| {
                self.name.as_ref() == Some(member) || self.mac.as_ref() == Some(member)
            });
            if let Some(name) = other.name.as_ref().filter(|_| is_member) {
                set(key, json!(name));
            }
        }
        if matches!(self.kind, LinkKind::Bridge { .. }) {
            set("bridge", json!("true"));
        }
        keys
    }
}

#[cfg(test)]
mod tests;
