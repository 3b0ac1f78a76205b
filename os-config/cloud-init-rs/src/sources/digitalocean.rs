//! DigitalOcean's metadata: everything in one JSON document.

use serde_json::Value;

use super::json::{self, items_at, text_at, texts_at};
use crate::address::cidr;
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::network::{Link, Network};
use crate::query::{LINK_LOCAL, Query};
use crate::source::DataSource;

#[derive(Debug)]
pub(super) struct DigitalOcean;

impl DataSource for DigitalOcean {
    fn name(&self) -> &'static str {
        "digitalocean"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.vendor == "DigitalOcean"
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let root = query.root_or(LINK_LOCAL);
        let url = format!("{root}/metadata/v1.json");
        let Some(bytes) = query.http.get(&url, &[])? else {
            return Ok(None);
        };
        let mut data = from_json(&json::parse(&bytes, &url)?);
        let url = format!("{root}/metadata/v1/user-data");
        data.user_data = query.http.get(&url, &[])?.unwrap_or_default();
        Ok(Some(data))
    }
}

fn from_json(value: &Value) -> InstanceData {
    let mut data = InstanceData {
        hostname: text_at(value, "/hostname"),
        instance_id: text_at(value, "/droplet_id"),
        ssh_keys: texts_at(value, "/public_keys"),
        vendor_data: text_at(value, "/vendor_data").map_or_else(Vec::new, String::into_bytes),
        ..InstanceData::default()
    };
    let mut links = Vec::new();
    for (kind, is_public) in [("public", true), ("private", false)] {
        for nic in items_at(value, &format!("/interfaces/{kind}")) {
            let link = link(nic, format!("eth{}", links.len()));
            for address in &link.addresses {
                add_address(&mut data, address, is_public);
            }
            links.push(link);
        }
    }
    if links.iter().any(|link| !link.addresses.is_empty()) {
        data.network = Some(Network {
            links,
            nameservers: texts_at(value, "/dns/nameservers"),
            search: Vec::new(),
        });
    }
    data
}

/// Sets an address that is not set yet. The droplet's own address comes first, so the anchor of a reserved
/// address is never taken.
fn add_address(data: &mut InstanceData, address: &str, is_public: bool) {
    let bare = address.split('/').next().unwrap_or(address).to_owned();
    let addresses = &mut data.addresses;
    let slot = match (is_public, bare.contains(':')) {
        (true, false) => &mut addresses.public_ipv4,
        (false, false) => &mut addresses.private_ipv4,
        (true, true) => &mut addresses.public_ipv6,
        (false, true) => &mut addresses.private_ipv6,
    };
    slot.get_or_insert(bare);
}

fn link(nic: &Value, name: String) -> Link {
    let address = |family: &str, mask: &str| {
        let at = |key: &str| text_at(nic, &format!("/{family}/{key}"));
        cidr(&at("ip_address")?, &at(mask)?)
    };
    let addresses = [
        address("ipv4", "netmask"),
        address("anchor_ipv4", "netmask"),
        address("ipv6", "cidr"),
    ];
    Link {
        name: Some(name),
        addresses: addresses.into_iter().flatten().collect(),
        gateway_ipv4: text_at(nic, "/ipv4/gateway").filter(|text| crate::address::is_cidr(text)),
        gateway_ipv6: text_at(nic, "/ipv6/gateway").filter(|text| crate::address::is_cidr(text)),
        ..Link::default()
    }
}
