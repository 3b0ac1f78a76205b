//! OpenStack's `network_data.json`: links and networks in two lists that name each other.

use serde_yaml::Value;

use super::{Found, Kind, Link, all_at, at, items, mtu};

pub(super) fn read(value: &Value, found: &mut Found<'_>) {
    let macs: Vec<(String, String)> = items(value, "links")
        .filter_map(|link| Some((at(link, "id")?, at(link, "ethernet_mac_address")?)))
        .collect();
    let mac_of = |id: &String| {
        let known = macs.iter().find(|(known, _)| known == id);
        known.map_or_else(|| id.clone(), |(_, mac)| mac.clone())
    };
    for item in items(value, "links") {
        let id = at(item, "id").unwrap_or_default();
        let mac = at(item, "ethernet_mac_address");
        let mut link = match at(item, "type").unwrap_or_default().as_str() {
            "bond" => Link {
                name: Some(id.clone()),
                kind: Kind::Bond {
                    members: all_at(item, "bond_links").iter().map(mac_of).collect(),
                    options: bond_options(item),
                },
                ..Link::default()
            },
            "vlan" => match (at(item, "vlan_id"), at(item, "vlan_link")) {
                (Some(tag), Some(parent)) => Link {
                    name: Some(format!("vlan{tag}")),
                    kind: Kind::Vlan {
                        id: tag.parse().unwrap_or_default(),
                        link: format!("mac:{}", mac_of(&parent).to_lowercase()),
                    },
                    ..Link::default()
                },
                _ => {
                    found.problem(format!("{id}: a vlan needs vlan_id and vlan_link"));
                    continue;
                }
            },
            _ => Link {
                mac,
                ..Link::default()
            },
        };
        link.mtu = mtu(item);
        for network in items(value, "networks") {
            if at(network, "link").as_deref() == Some(id.as_str()) {
                self::network(network, &mut link, found);
            }
        }
        found.add(link);
    }
    services(value, found);
}

fn network(network: &Value, link: &mut Link, found: &mut Found<'_>) {
    match at(network, "type").unwrap_or_default().as_str() {
        "ipv4" | "ipv6" => {
            let address = at(network, "ip_address").unwrap_or_default();
            let mask = at(network, "netmask");
            let address = found.address(&address, mask.as_deref());
            link.addresses.extend(address);
        }
        _ => link.dhcp = true,
    }
    for route in items(network, "routes") {
        if let (Some(to), Some(via)) = (at(route, "network"), at(route, "gateway")) {
            found.route(link, &to, at(route, "netmask").as_deref(), &via);
        }
    }
    if let Some(gateway) = at(network, "gateway") {
        found.gateway(link, &gateway);
    }
    services(network, found);
}

fn services(value: &Value, found: &mut Found<'_>) {
    for service in items(value, "services") {
        if at(service, "type").as_deref() == Some("dns") {
            for address in all_at(service, "address") {
                found.nameserver(address);
            }
        }
    }
}

fn bond_options(item: &Value) -> Vec<(String, String)> {
    let known = [
        ("bond_mode", "mode"),
        ("bond_miimon", "miimon"),
        ("bond_xmit_hash_policy", "xmit_hash_policy"),
    ];
    known
        .iter()
        .filter_map(|(key, name)| Some(((*name).to_owned(), at(item, key)?)))
        .collect()
}
