//! `rancher.network`.

use std::collections::BTreeMap;

use crate::read::{Findings, Reader};
use crate::wireless::{self, Modem, Wifi};

/// The machine's network settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    pub pre_cmds: Vec<String>,
    pub post_cmds: Vec<String>,
    /// Seconds.
    pub dhcp_timeout: Option<u32>,
    pub dns: Dns,
    /// By name, pattern or `mac:` address.
    pub interfaces: BTreeMap<String, Interface>,
    pub http_proxy: Option<String>,
    pub https_proxy: Option<String>,
    pub no_proxy: Option<String>,
    pub wifi_networks: BTreeMap<String, Wifi>,
    pub modem_networks: BTreeMap<String, Modem>,
}

/// Name servers and search domains that replace what DHCP says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    pub nameservers: Vec<String>,
    pub search: Vec<String>,
}

/// The settings of one interface or of all that a pattern names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    pub match_: Option<String>,
    pub dhcp: Option<bool>,
    pub dhcp_args: Option<String>,
    /// CIDR.
    pub address: Option<String>,
    pub addresses: Vec<String>,
    pub ipv4ll: Option<bool>,
    pub gateway: Option<String>,
    pub gateway_ipv6: Option<String>,
    pub mtu: Option<u32>,
    pub bridge: Option<String>,
    pub bond: Option<String>,
    pub bond_opts: BTreeMap<String, String>,
    pub vlans: Option<String>,
    pub pre_up: Vec<String>,
    pub post_up: Vec<String>,
    pub wifi_network: Option<String>,
}

impl Network {
    pub(crate) fn read(reader: &mut Reader<'_>, findings: &mut Findings) -> Self {
        let mut dns = reader.below("dns", findings);
        let network = Self {
            pre_cmds: reader.list("pre_cmds", findings),
            post_cmds: reader.list("post_cmds", findings),
            dhcp_timeout: reader.number("dhcp_timeout", findings),
            dns: Dns {
                nameservers: dns.list("nameservers", findings),
                search: dns.list("search", findings),
            },
            interfaces: reader
                .entries("interfaces", findings)
                .into_iter()
                .map(|(name, value)| {
                    let mut below = Reader::new(
                        value,
                        &reader.path_of(&format!("interfaces.{name}")),
                        findings,
                    );
                    let interface = Interface::read(&mut below, findings);
                    below.finish(findings);
                    (name, interface)
                })
                .collect(),
            http_proxy: reader.text("http_proxy", findings),
            https_proxy: reader.text("https_proxy", findings),
            no_proxy: reader.text("no_proxy", findings),
            wifi_networks: wireless::wifi_networks(reader, findings),
            modem_networks: wireless::modem_networks(reader, findings),
        };
        dns.finish(findings);
        network
    }
}

impl Interface {
    fn read(reader: &mut Reader<'_>, findings: &mut Findings) -> Self {
        Self {
            match_: reader.text("match", findings),
            dhcp: reader.boolean("dhcp", findings),
            dhcp_args: reader.text("dhcp_args", findings),
            address: reader.text("address", findings),
            addresses: reader.list("addresses", findings),
            ipv4ll: reader.boolean("ipv4ll", findings),
            gateway: reader.text("gateway", findings),
            gateway_ipv6: reader.text("gateway_ipv6", findings),
            mtu: reader.number("mtu", findings),
            bridge: reader.text("bridge", findings),
            bond: reader.text("bond", findings),
            bond_opts: reader.map("bond_opts", findings),
            vlans: reader.text("vlans", findings),
            pre_up: reader.list("pre_up", findings),
            post_up: reader.list("post_up", findings),
            wifi_network: reader.text("wifi_network", findings),
        }
    }
}
