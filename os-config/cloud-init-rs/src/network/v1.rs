//! Version 1: a list of links, each with its subnets.

use serde_yaml::Value;

use super::{Found, Kind, Link, all_at, at, items, mtu};

pub(super) fn read(value: &Value, found: &mut Found<'_>) {
    for item in items(value, "config") {
        match at(item, "type").unwrap_or_default().as_str() {
            "physical" => link(item, Kind::Physical, found),
            "bond" => {
                let kind = Kind::Bond {
                    members: all_at(item, "bond_interfaces"),
                    options: bond_options(item),
                };
                link(item, kind, found);
            }
            "bridge" => {
                let kind = Kind::Bridge {
                    members: all_at(item, "bridge_interfaces"),
                };
                link(item, kind, found);
            }
            "vlan" => vlan(item, found),
            "nameserver" => {
                name_service(item, ["address", "search"], found);
            }
            "route" => found.problem(
                "a route by itself is not supported; give it with the subnet that it belongs to"
                    .to_owned(),
            ),
            "loopback" => {}
            other => found.problem(format!("type {other:?} is not known")),
        }
    }
}

fn vlan(item: &Value, found: &mut Found<'_>) {
    let id = at(item, "vlan_id").and_then(|id| id.parse().ok());
    match (id, at(item, "vlan_link")) {
        (Some(id), Some(parent)) => link(item, Kind::Vlan { id, link: parent }, found),
        _ => found.problem("a vlan needs vlan_id and vlan_link".to_owned()),
    }
}

fn link(item: &Value, kind: Kind, found: &mut Found<'_>) {
    let mut link = Link {
        name: at(item, "name"),
        mac: at(item, "mac_address"),
        kind,
        mtu: mtu(item),
        ..Link::default()
    };
    for subnet in items(item, "subnets") {
        self::subnet(subnet, &mut link, found);
    }
    found.add(link);
}

fn subnet(subnet: &Value, link: &mut Link, found: &mut Found<'_>) {
    match at(subnet, "type").unwrap_or_default().as_str() {
        "dhcp"
        | "dhcp4"
        | "dhcp6"
        | "ipv6_dhcpv6-stateful"
        | "ipv6_dhcpv6-stateless"
        | "ipv6_slaac" => link.dhcp = true,
        "static" | "static6" | "" => {
            let address = at(subnet, "address").unwrap_or_default();
            let mask = at(subnet, "netmask");
            let address = found.address(&address, mask.as_deref());
            link.addresses.extend(address);
            if let Some(gateway) = at(subnet, "gateway") {
                found.gateway(link, &gateway);
            }
        }
        "manual" => {}
        other => found.problem(format!("a subnet of type {other:?} is not known")),
    }
    for route in items(subnet, "routes") {
        let to = at(route, "destination").or_else(|| at(route, "network"));
        if let (Some(to), Some(via)) = (to, at(route, "gateway")) {
            found.route(link, &to, at(route, "netmask").as_deref(), &via);
        }
    }
    name_service(subnet, ["dns_nameservers", "dns_search"], found);
}

fn name_service(value: &Value, [servers, domains]: [&str; 2], found: &mut Found<'_>) {
    for server in all_at(value, servers) {
        found.nameserver(server);
    }
    for domain in all_at(value, domains) {
        found.search(domain);
    }
}

/// `bond-mode` and `mode` alike.
fn bond_options(item: &Value) -> Vec<(String, String)> {
    let params = item.get("params").and_then(Value::as_mapping);
    let params = params.into_iter().flatten();
    params
        .filter_map(|(key, value)| {
            let key = super::text(key)?.replace('-', "_");
            let key = key.strip_prefix("bond_").unwrap_or(&key).to_owned();
            Some((key, super::text(value)?))
        })
        .collect()
}
