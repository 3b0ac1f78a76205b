//! `rancher.network`: interfaces, name servers and proxies.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::keys::network::values::{ADDRESS, DOMAIN, LINK, LINK_PATTERN, NAME_SERVER, PREFIX};
use crate::keys::network::{bond_options, vlans};
use crate::keys::wireless::{self, Modem, Wifi};
use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::path::key_path;
use crate::yaml::scalar;

/// The machine's network settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    pub pre_cmds: Vec<String>,
    pub post_cmds: Vec<String>,
    /// Seconds.
    pub dhcp_timeout: Option<u32>,
    pub dns: Dns,
    /// Whether the machine is a router: it forwards packets between all its links.
    pub forward: bool,
    /// Name, pattern or `mac:` address → settings.
    pub interfaces: BTreeMap<String, Interface>,
    pub http_proxy: Option<String>,
    pub https_proxy: Option<String>,
    pub no_proxy: Option<String>,
    pub wifi_networks: BTreeMap<String, Wifi>,
    pub modem_networks: BTreeMap<String, Modem>,
}

/// Name servers and search domains, which replace DHCP's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    pub nameservers: Vec<String>,
    pub search: Vec<String>,
}

/// Settings of one interface, or of all interfaces that a pattern names.
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
        let mut dns = reader.section("dns", findings);
        reader.later(&["modem_networks", "wifi_networks"]);
        let network = Self {
            pre_cmds: reader.list("pre_cmds", findings),
            post_cmds: reader.list("post_cmds", findings),
            dhcp_timeout: reader.number("dhcp_timeout", findings),
            dns: Dns {
                nameservers: NAME_SERVER.list(&mut dns, "nameservers", findings),
                search: DOMAIN.list(&mut dns, "search", findings),
            },
            forward: reader.boolean("forward", findings).unwrap_or(false),
            interfaces: interfaces(reader, findings),
            http_proxy: reader.text("http_proxy", findings),
            https_proxy: reader.text("https_proxy", findings),
            no_proxy: reader.text("no_proxy", findings),
            wifi_networks: wireless::wifi_networks(reader, findings),
            modem_networks: wireless::modem_networks(reader, findings),
        };
        dns.finish(findings);
        network
    }

    /// The proxies that are set, by the names of the variables that programs read.
    pub(crate) fn proxy_variables(&self) -> impl Iterator<Item = (&str, &str)> {
        [
            ("HTTP_PROXY", &self.http_proxy),
            ("HTTPS_PROXY", &self.https_proxy),
            ("NO_PROXY", &self.no_proxy),
        ]
        .into_iter()
        .filter_map(|(name, proxy)| Some((name, proxy.as_deref()?)))
    }

    /// The proxy for requests to `url`; `None` for a direct request. `no_proxy` lists hosts, domains and `*`.
    pub fn proxy_for(&self, url: &str) -> Option<&str> {
        let (scheme, rest) = url.split_once("://")?;
        let proxy = match scheme {
            "https" => self.https_proxy.as_deref(),
            _ => self.http_proxy.as_deref(),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let host = rest.get(..end)?.rsplit('@').next()?;
        // `no_proxy` may name a host with its port or without.
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let listed = self.no_proxy.as_deref().unwrap_or_default().split(',');
        let is_direct = listed.map(str::trim).any(|entry| {
            let domain = entry.trim_start_matches('.');
            entry == "*"
                || entry == host
                || domain == name
                || !domain.is_empty() && name.ends_with(&format!(".{domain}"))
        });
        proxy.filter(|_| !is_direct)
    }
}

/// The interfaces whose names can be names of links.
fn interfaces(reader: &mut Reader<'_>, findings: &mut Findings) -> BTreeMap<String, Interface> {
    let base = reader.path_of("interfaces");
    let mut interfaces = BTreeMap::new();
    for (name, value) in reader.entries("interfaces", findings) {
        let path = key_path(&base, &name);
        let mut section = Reader::new(value, &path, findings);
        let interface = Interface::read(&mut section, findings);
        section.finish(findings);
        // Beside `match` the name is a label.
        if interface.match_.is_some() || LINK_PATTERN.accepts(&name) {
            interfaces.insert(name, interface);
        } else {
            findings.error(path, format!("expected {}", LINK_PATTERN.expected));
        }
    }
    interfaces
}

/// Bytes of the largest packet; 0 stands for the link's own.
fn mtu(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<u32> {
    const RANGE: std::ops::RangeInclusive<u32> = 68..=65535;
    let mtu = reader.number("mtu", findings)?;
    if mtu == 0 || RANGE.contains(&mtu) {
        return Some(mtu);
    }
    let path = reader.path_of("mtu");
    findings.mismatch(
        &path,
        "a number from 68 to 65535",
        &Value::Number(mtu.into()),
    )
}

/// The bridge to join; `true` for a bridge itself.
fn bridge(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<String> {
    let name = LINK.text(reader, "bridge", findings)?;
    match scalar::boolean(&name) {
        Some(true) => Some("true".to_owned()),
        Some(false) => None,
        None => Some(name),
    }
}

impl Interface {
    fn read(reader: &mut Reader<'_>, findings: &mut Findings) -> Self {
        // One dhcpcd serves all links.
        reader.legacy(&["dhcp_args"]);
        reader.later(&["wifi_network"]);
        Self {
            match_: LINK_PATTERN.text(reader, "match", findings),
            dhcp: reader.boolean("dhcp", findings),
            dhcp_args: reader.text("dhcp_args", findings),
            address: PREFIX.text(reader, "address", findings),
            addresses: PREFIX.list(reader, "addresses", findings),
            ipv4ll: reader.boolean("ipv4ll", findings),
            gateway: ADDRESS.text(reader, "gateway", findings),
            gateway_ipv6: ADDRESS.text(reader, "gateway_ipv6", findings),
            mtu: mtu(reader, findings),
            bridge: bridge(reader, findings),
            bond: LINK.text(reader, "bond", findings),
            bond_opts: {
                let options = reader.map("bond_opts", findings);
                bond_options::check(&reader.path_of("bond_opts"), options, findings)
            },
            vlans: {
                let list = reader.text("vlans", findings);
                list.and_then(|list| vlans::check(&reader.path_of("vlans"), list, findings))
            },
            pre_up: reader.list("pre_up", findings),
            post_up: reader.list("post_up", findings),
            wifi_network: reader.text("wifi_network", findings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn proxies_by_url() {
        let network = Network {
            http_proxy: Some("plain".into()),
            https_proxy: Some("tls".into()),
            no_proxy: Some("localhost, .lan,box:8080,127.0.0.1".into()),
            ..Network::default()
        };
        for (url, expected) in [
            ("http://example.com/x", Some("plain")),
            ("https://example.com", Some("tls")),
            ("https://user:word@example.com/?a=b:c", Some("tls")),
            ("http://barn.lan/a.yml", None),
            ("http://lan:80/", None),
            ("http://plan/", Some("plain")),
            ("http://box:8080/", None),
            ("http://box:9/", Some("plain")),
            ("https://127.0.0.1:9/", None),
            ("nothing", None),
        ] {
            assert_eq!(network.proxy_for(url), expected, "{url}");
        }
        assert_eq!(Network::default().proxy_for("http://x/"), None);
    }
}
