//! Links and name servers of a machine, independent of the format that they were read from.

use std::net::IpAddr;

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
    /// The document's name for the link, by which its other links refer to it, if that differs from `name`.
    pub label: Option<String>,
    /// The kernel's name, or a pattern of names.
    pub name: Option<String>,
    /// Identifies the link; the name counts only without a MAC address.
    pub mac: Option<String>,
    pub kind: LinkKind,
    pub dhcp: bool,
    /// Addresses with prefix lengths.
    pub addresses: Vec<String>,
    pub gateway_ipv4: Option<String>,
    pub gateway_ipv6: Option<String>,
    pub mtu: Option<u32>,
    pub routes: Vec<Route>,
    /// The address that the link gets in place of its own.
    pub set_mac: Option<String>,
}

impl Network {
    /// The key of the link that a document refers to; a link that it does not describe has the reference as its name.
    pub(super) fn key_of(&self, reference: &str) -> String {
        let known = self.links.iter().find(|link| link.is_called(reference));
        known.map_or_else(|| reference.to_owned(), Link::key)
    }
}

impl Link {
    /// The key of its interface.
    pub(super) fn key(&self) -> String {
        match (&self.mac, &self.name) {
            // A bond, bridge or VLAN shares its MAC address with its members, so its key is its name.
            (Some(mac), _) if self.kind == LinkKind::Physical => {
                format!("mac:{}", mac.to_lowercase())
            }
            (_, name) => name.clone().unwrap_or_default(),
        }
    }

    /// Whether another part of the document means this link: by its label, its name or its MAC address.
    pub(super) fn is_called(&self, reference: &str) -> bool {
        let is_same = |known: &Option<String>| known.as_deref() == Some(reference);
        let mac = self.mac.as_deref();
        is_same(&self.label)
            || (self.label.is_none() || self.mac.is_none()) && is_same(&self.name)
            || mac.is_some_and(|mac| mac.eq_ignore_ascii_case(reference))
    }

    /// Whether a network of the link contains an address.
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        let mut networks = self.addresses.iter();
        networks.any(|network| address::contains(network, ip))
    }
}

/// A route of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// A prefix, or `default`.
    pub to: String,
    /// The gateway; `None` for destinations on the link itself.
    pub via: Option<String>,
    pub metric: Option<u32>,
    pub table: Option<u32>,
    /// The address that packets get as their source.
    pub source: Option<String>,
    pub mtu: Option<u32>,
    /// Whether the gateway is on the link although none of the link's networks contains it.
    pub on_link: bool,
}

/// The kind of a link, with the links that it consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkKind {
    #[default]
    Physical,
    /// Members by name or MAC address, and options under the names of the kernel's bonding driver.
    Bond {
        members: Vec<String>,
        options: Vec<(String, String)>,
    },
    /// Members as of a bond, and options under the names of `ip link`.
    Bridge {
        members: Vec<String>,
        options: Vec<(String, String)>,
    },
    Vlan {
        id: u16,
        link: String,
    },
}

pub(super) fn is_mac(text: &str) -> bool {
    text.len() == 17 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':')
}
