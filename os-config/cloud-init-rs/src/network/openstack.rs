//! OpenStack's `network_data.json`: a list of links, and a list of networks that name their links.

use serde_yaml::Value;

use super::builder::NetworkBuilder;
use super::link::{Link, LinkKind, Route};
use super::yaml::{items_at, text_at, texts_at};

pub(super) fn read(value: &Value, builder: &mut NetworkBuilder<'_>) {
    for item in items_at(value, "links") {
        let id = text_at(item, "id").unwrap_or_default();
        let mac = text_at(item, "ethernet_mac_address");
        let mac = mac.and_then(|mac| builder.parse_mac(&id, mac));
        let mut link = match text_at(item, "type").unwrap_or_default().as_str() {
            "bond" => Link {
                name: Some(id.clone()),
                kind: LinkKind::Bond {
                    members: texts_at(item, "bond_links"),
                    options: bond_options(item),
                },
                ..Link::default()
            },
            "vlan" => match (text_at(item, "vlan_id"), text_at(item, "vlan_link")) {
                (Some(tag), Some(parent)) => Link {
                    label: Some(id.clone()),
                    name: Some(format!("vlan{tag}")),
                    kind: LinkKind::Vlan {
                        id: tag.parse().unwrap_or_default(),
                        link: parent,
                    },
                    ..Link::default()
                },
                _ => {
                    builder.add_problem(format!("{id}: a vlan needs vlan_id and vlan_link"));
                    continue;
                }
            },
            _ => Link {
                label: Some(id.clone()),
                mac,
                ..Link::default()
            },
        };
        link.mtu = builder.mtu(&id, item);
        for network in items_at(value, "networks") {
            if text_at(network, "link").as_deref() == Some(id.as_str()) {
                self::network(network, &mut link, builder);
            }
        }
        builder.add_link(link);
    }
    services(value, builder);
}

fn network(network: &Value, link: &mut Link, builder: &mut NetworkBuilder<'_>) {
    match text_at(network, "type").unwrap_or_default().as_str() {
        "ipv4" | "ipv6" => {
            let address = text_at(network, "ip_address").unwrap_or_default();
            let mask = text_at(network, "netmask");
            let address = builder.parse_address(&address, mask.as_deref());
            link.addresses.extend(address);
        }
        _ => link.dhcp = true,
    }
    for route in items_at(network, "routes") {
        if let (Some(to), Some(via)) = (text_at(route, "network"), text_at(route, "gateway")) {
            let route_there = Route {
                to,
                via: Some(via),
                ..Route::default()
            };
            builder.add_route(link, route_there, text_at(route, "netmask").as_deref());
        }
    }
    if let Some(gateway) = text_at(network, "gateway") {
        builder.set_gateway(link, &gateway);
    }
    services(network, builder);
}

fn services(value: &Value, builder: &mut NetworkBuilder<'_>) {
    for service in items_at(value, "services") {
        if text_at(service, "type").as_deref() == Some("dns") {
            for address in texts_at(service, "address") {
                builder.add_nameserver(address);
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
        .filter_map(|(key, name)| Some(((*name).to_owned(), text_at(item, key)?)))
        .collect()
}
