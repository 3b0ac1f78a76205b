//! Version 1: a list of links, each with its subnets.

use serde_yaml::Value;

use super::builder::NetworkBuilder;
use super::link::{Link, LinkKind};
use super::yaml::{items_at, mtu, text, text_at, texts_at};

pub(super) fn read(value: &Value, builder: &mut NetworkBuilder<'_>) {
    for item in items_at(value, "config") {
        match text_at(item, "type").unwrap_or_default().as_str() {
            "physical" => link(item, LinkKind::Physical, builder),
            "bond" => {
                let kind = LinkKind::Bond {
                    members: texts_at(item, "bond_interfaces"),
                    options: bond_options(item),
                };
                link(item, kind, builder);
            }
            "bridge" => {
                let kind = LinkKind::Bridge {
                    members: texts_at(item, "bridge_interfaces"),
                };
                link(item, kind, builder);
            }
            "vlan" => vlan(item, builder),
            "nameserver" => {
                name_service(item, ["address", "search"], builder);
            }
            "route" => builder.add_problem(
                "a route by itself is not supported; give it with the subnet that it belongs to"
                    .to_owned(),
            ),
            "loopback" => {}
            other => builder.add_problem(format!("type {other:?} is not known")),
        }
    }
}

fn vlan(item: &Value, builder: &mut NetworkBuilder<'_>) {
    let id = text_at(item, "vlan_id").and_then(|id| id.parse().ok());
    match (id, text_at(item, "vlan_link")) {
        (Some(id), Some(parent)) => link(item, LinkKind::Vlan { id, link: parent }, builder),
        _ => builder.add_problem("a vlan needs vlan_id and vlan_link".to_owned()),
    }
}

fn link(item: &Value, kind: LinkKind, builder: &mut NetworkBuilder<'_>) {
    let mut link = Link {
        name: text_at(item, "name"),
        mac: text_at(item, "mac_address"),
        kind,
        mtu: mtu(item),
        ..Link::default()
    };
    for subnet in items_at(item, "subnets") {
        self::subnet(subnet, &mut link, builder);
    }
    builder.add_link(link);
}

fn subnet(subnet: &Value, link: &mut Link, builder: &mut NetworkBuilder<'_>) {
    match text_at(subnet, "type").unwrap_or_default().as_str() {
        "dhcp"
        | "dhcp4"
        | "dhcp6"
        | "ipv6_dhcpv6-stateful"
        | "ipv6_dhcpv6-stateless"
        | "ipv6_slaac" => link.dhcp = true,
        "static" | "static6" | "" => {
            let address = text_at(subnet, "address").unwrap_or_default();
            let mask = text_at(subnet, "netmask");
            let address = builder.parse_address(&address, mask.as_deref());
            link.addresses.extend(address);
            if let Some(gateway) = text_at(subnet, "gateway") {
                builder.set_gateway(link, &gateway);
            }
        }
        "manual" => {}
        other => builder.add_problem(format!("a subnet of type {other:?} is not known")),
    }
    for route in items_at(subnet, "routes") {
        let to = text_at(route, "destination").or_else(|| text_at(route, "network"));
        if let (Some(to), Some(via)) = (to, text_at(route, "gateway")) {
            builder.add_route(link, &to, text_at(route, "netmask").as_deref(), &via);
        }
    }
    name_service(subnet, ["dns_nameservers", "dns_search"], builder);
}

fn name_service(value: &Value, [servers, domains]: [&str; 2], builder: &mut NetworkBuilder<'_>) {
    for server in texts_at(value, servers) {
        builder.add_nameserver(server);
    }
    for domain in texts_at(value, domains) {
        builder.add_search_domain(domain);
    }
}

/// Options of a bond; a key may begin with `bond-` or `bond_`.
fn bond_options(item: &Value) -> Vec<(String, String)> {
    let params = item.get("params").and_then(Value::as_mapping);
    let params = params.into_iter().flatten();
    params
        .filter_map(|(key, value)| {
            let key = text(key)?.replace('-', "_");
            let key = key.strip_prefix("bond_").unwrap_or(&key).to_owned();
            Some((key, text(value)?))
        })
        .collect()
}
