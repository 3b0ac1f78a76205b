//! Links and name servers of a machine, independent of the format that they were read from.

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
    /// Identifies the link; the name counts only without a MAC address.
    pub mac: Option<String>,
    pub kind: LinkKind,
    pub dhcp: bool,
    /// Addresses with prefix lengths.
    pub addresses: Vec<String>,
    pub gateway_ipv4: Option<String>,
    pub gateway_ipv6: Option<String>,
    pub mtu: Option<u32>,
    /// Destination with prefix length, and gateway.
    pub routes: Vec<(String, String)>,
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
    Bridge {
        members: Vec<String>,
    },
    Vlan {
        id: u16,
        link: String,
    },
}
