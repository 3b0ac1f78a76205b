//! Metadata of Equinix Metal, formerly Packet: all links are in one bond.

use serde_json::Value;

use super::json::{self, items_at, text_at, texts_at};
use crate::address::cidr;
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::network::{Link, LinkKind, Network, Route};
use crate::query::Query;
use crate::source::DataSource;

const ADDRESS: &str = "https://metadata.platformequinix.com";
/// The network that is reached through the private gateway.
const PRIVATE: &str = "10.0.0.0/8";

#[derive(Debug)]
pub(super) struct Packet;

impl DataSource for Packet {
    fn name(&self) -> &'static str {
        "packet"
    }

    /// Never: the firmware names the maker of the hardware, and there are many.
    fn detect(&self, _: &Firmware) -> bool {
        false
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let root = query.root_or(ADDRESS);
        let url = format!("{root}/metadata");
        let Some(bytes) = query.http.get(&url, &[])? else {
            return Ok(None);
        };
        let mut data = from_json(&json::parse(&bytes, &url)?);
        let user_data = query.http.get(&format!("{root}/userdata"), &[])?;
        data.user_data = user_data.unwrap_or_default();
        Ok(Some(data))
    }
}

fn from_json(value: &Value) -> InstanceData {
    let mut data = InstanceData {
        hostname: text_at(value, "/hostname"),
        instance_id: text_at(value, "/id"),
        ssh_keys: texts_at(value, "/ssh_keys"),
        ..InstanceData::default()
    };
    let macs: Vec<String> = items_at(value, "/network/interfaces")
        .filter_map(|nic| text_at(nic, "/mac"))
        .collect();
    let mut bond = Link {
        name: Some("bond0".to_owned()),
        kind: LinkKind::Bond {
            members: macs.clone(),
            options: bond_options(value),
        },
        ..Link::default()
    };
    for item in items_at(value, "/network/addresses") {
        let at = |path: &str| text_at(item, path);
        let Some(address) = at("/address")
            .zip(at("/cidr"))
            .and_then(|(address, length)| cidr(&address, &length))
        else {
            continue;
        };
        data.addresses.add(&address);
        let is_public = item.pointer("/public").and_then(Value::as_bool) == Some(true);
        let gateway = at("/gateway").filter(|text| crate::address::is_cidr(text));
        match (is_public, address.contains(':')) {
            (true, false) => bond.gateway_ipv4 = gateway.or(bond.gateway_ipv4),
            (_, true) => bond.gateway_ipv6 = gateway.or(bond.gateway_ipv6),
            (false, false) => bond.routes.extend(gateway.map(|gateway| Route {
                to: PRIVATE.to_owned(),
                via: Some(gateway),
                ..Route::default()
            })),
        }
        bond.addresses.push(address);
    }
    if !bond.addresses.is_empty() && !macs.is_empty() {
        let member = |mac| Link {
            mac: Some(mac),
            ..Link::default()
        };
        data.network = Some(Network {
            links: macs.into_iter().map(member).chain([bond]).collect(),
            ..Network::default()
        });
    }
    data
}

fn bond_options(value: &Value) -> Vec<(String, String)> {
    let mode = text_at(value, "/network/bonding/mode").unwrap_or_else(|| "4".to_owned());
    [
        ("mode", mode.as_str()),
        ("lacp_rate", "1"),
        ("xmit_hash_policy", "layer3+4"),
        ("downdelay", "200"),
        ("updelay", "200"),
        ("miimon", "100"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}
