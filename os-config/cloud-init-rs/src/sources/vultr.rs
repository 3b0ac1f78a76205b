//! Vultr's metadata: everything in one JSON document, user-data included.

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
pub(super) struct Vultr;

impl DataSource for Vultr {
    fn name(&self) -> &'static str {
        "vultr"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.vendor == "Vultr" || firmware.argument("vultr").is_some()
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let url = format!("{}/v1.json", query.root_or(LINK_LOCAL));
        match query.http.get(&url, &[])? {
            Some(bytes) => Ok(Some(from_json(&json::parse(&bytes, &url)?))),
            None => Ok(None),
        }
    }
}

fn from_json(value: &Value) -> InstanceData {
    let document = |key: &str| text_at(value, key).map_or_else(Vec::new, String::into_bytes);
    let mut data = InstanceData {
        user_data: document("/user-data"),
        vendor_data: document("/vendor-data"),
        hostname: text_at(value, "/hostname"),
        instance_id: text_at(value, "/instance-v2-id").or_else(|| text_at(value, "/instanceid")),
        ssh_keys: texts_at(value, "/public-keys"),
        ..InstanceData::default()
    };
    let mut links = Vec::new();
    for nic in items_at(value, "/interfaces") {
        let at = |path: &str| text_at(nic, path);
        let is_public = at("/network-type").as_deref() == Some("public");
        let ipv4 = at("/ipv4/address").zip(at("/ipv4/netmask"));
        let address = ipv4.and_then(|(address, mask)| cidr(&address, &mask));
        for address in address.iter().chain(at("/ipv6/address").iter()) {
            data.addresses.add(address);
        }
        links.push(Link {
            mac: at("/mac"),
            // Only the public network has DHCP.
            dhcp: is_public,
            addresses: address.filter(|_| !is_public).into_iter().collect(),
            ..Link::default()
        });
    }
    links.retain(|link| link.mac.is_some());
    if links.len() > 1 {
        data.network = Some(Network {
            links,
            ..Network::default()
        });
    }
    data
}
