//! Version 1: a list of links, each with its subnets.

use serde_yaml::Value;

use super::bond_options;
use super::bridge_options;
use super::builder::{Keys, NetworkBuilder};
use super::link::{Link, LinkKind, Route};
use super::yaml::{items_at, text_at, texts_at};

const PHYSICAL: Keys<'_> = Keys {
    done: &["type", "name", "mac_address", "mtu", "subnets", "id"],
    not_done: &["accept-ra", "keep_configuration", "wakeonlan"],
};
const BOND: Keys<'_> = Keys {
    done: &[
        "type",
        "name",
        "mac_address",
        "mtu",
        "subnets",
        "id",
        "bond_interfaces",
        "params",
    ],
    not_done: PHYSICAL.not_done,
};
const BRIDGE: Keys<'_> = Keys {
    done: &[
        "type",
        "name",
        "mac_address",
        "mtu",
        "subnets",
        "id",
        "bridge_interfaces",
        "params",
    ],
    not_done: PHYSICAL.not_done,
};
const VLAN: Keys<'_> = Keys {
    done: &[
        "type",
        "name",
        "mac_address",
        "mtu",
        "subnets",
        "id",
        "vlan_link",
        "vlan_id",
    ],
    not_done: PHYSICAL.not_done,
};
const SUBNET: Keys<'_> = Keys {
    // `control` and `broadcast` ask for what happens anyway, or for less.
    done: &[
        "type",
        "address",
        "netmask",
        "prefix",
        "gateway",
        "dns_nameservers",
        "dns_search",
        "routes",
        "control",
        "broadcast",
        "ipv4",
        "ipv6",
        "network_id",
        "id",
    ],
    not_done: &["metric", "scope", "pointopoint", "mtu"],
};
const NAMESERVER: Keys<'_> = Keys {
    done: &["type", "address", "search"],
    not_done: &["interface"],
};
const ROUTE: Keys<'_> = Keys {
    done: &[
        "type",
        "destination",
        "network",
        "netmask",
        "gateway",
        "metric",
        "id",
    ],
    not_done: &[],
};

pub(super) fn read(value: &Value, builder: &mut NetworkBuilder<'_>) {
    for item in items_at(value, "config") {
        let name = text_at(item, "name").unwrap_or_default();
        match text_at(item, "type").unwrap_or_default().as_str() {
            "physical" => {
                builder.check_keys(&name, item, &PHYSICAL);
                link(item, LinkKind::Physical, builder);
            }
            "bond" => {
                builder.check_keys(&name, item, &BOND);
                let kind = LinkKind::Bond {
                    members: texts_at(item, "bond_interfaces"),
                    options: bond_options::read(item, "params"),
                };
                link(item, kind, builder);
            }
            "bridge" => {
                builder.check_keys(&name, item, &BRIDGE);
                let options = bridge_options::read(&name, item.get("params"), builder);
                let kind = LinkKind::Bridge {
                    members: texts_at(item, "bridge_interfaces"),
                    options,
                };
                link(item, kind, builder);
            }
            "vlan" => {
                builder.check_keys(&name, item, &VLAN);
                vlan(item, builder);
            }
            "nameserver" => {
                builder.check_keys("nameserver", item, &NAMESERVER);
                name_service(item, ["address", "search"], builder);
            }
            // Below: they belong to links that may stand behind them.
            "route" => {}
            "loopback" => {}
            other => builder.add_problem(format!("type \"{other}\" is not known")),
        }
    }
    for item in items_at(value, "config") {
        if text_at(item, "type").as_deref() == Some("route") {
            builder.check_keys("route", item, &ROUTE);
            lone_route(item, builder);
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
    let name = text_at(item, "name");
    let shown = name.clone().unwrap_or_default();
    let mac = text_at(item, "mac_address").and_then(|mac| builder.parse_mac(&shown, mac));
    let is_physical = kind == LinkKind::Physical;
    let mut link = Link {
        name,
        // The address finds a physical link; other links get it.
        mac: mac.clone().filter(|_| is_physical),
        set_mac: mac.filter(|_| !is_physical),
        kind,
        mtu: builder.mtu(&shown, item),
        ..Link::default()
    };
    for subnet in items_at(item, "subnets") {
        builder.check_keys(&shown, subnet, &SUBNET);
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
            let mask = text_at(subnet, "netmask").or_else(|| text_at(subnet, "prefix"));
            // cloud-init's lengths where the document says none.
            let length = if address.contains(':') { "64" } else { "24" };
            let mask = mask.as_deref().unwrap_or(length);
            let address = builder.parse_address(&address, Some(mask));
            link.addresses.extend(address);
            if let Some(gateway) = text_at(subnet, "gateway") {
                builder.set_gateway(link, &gateway);
            }
        }
        "manual" => {}
        other => builder.add_problem(format!("a subnet of type \"{other}\" is not known")),
    }
    for route in items_at(subnet, "routes") {
        builder.check_keys("route", route, &ROUTE);
        if let Some((route, mask)) = self::route(route, builder) {
            builder.add_route(link, route, mask.as_deref());
        }
    }
    name_service(subnet, ["dns_nameservers", "dns_search"], builder);
}

/// A route and its mask.
fn route(item: &Value, builder: &mut NetworkBuilder<'_>) -> Option<(Route, Option<String>)> {
    let to = text_at(item, "destination").or_else(|| text_at(item, "network"));
    let (Some(to), Some(via)) = (to, text_at(item, "gateway")) else {
        builder.add_problem("a route needs destination and gateway".to_owned());
        return None;
    };
    let metric = builder.number(&format!("route to {to}"), item, "metric", u32::MAX);
    let route = Route {
        to,
        via: Some(via),
        metric,
        ..Route::default()
    };
    Some((route, text_at(item, "netmask")))
}

/// A route that stands beside the links belongs to the link whose network contains its gateway, else to the only link
/// with DHCP, else to the only link.
fn lone_route(item: &Value, builder: &mut NetworkBuilder<'_>) {
    let Some((route, mask)) = route(item, builder) else {
        return;
    };
    let gateway = route.via.as_ref().and_then(|via| via.parse().ok());
    let links = &builder.network.links;
    let by_network =
        gateway.and_then(|gateway| links.iter().position(|link| link.contains(gateway)));
    let only = |is_wanted: fn(&Link) -> bool| {
        let mut found = links.iter().enumerate().filter(|(_, link)| is_wanted(link));
        let first = found.next().map(|(index, _)| index);
        first.filter(|_| found.next().is_none())
    };
    let Some(index) = by_network
        .or_else(|| only(|link| link.dhcp))
        .or_else(|| only(|_| true))
    else {
        let via = route.via.unwrap_or_default();
        return builder.add_problem(format!(
            "route to {}: no network of a link contains the gateway {via}; give the route with its subnet",
            route.to
        ));
    };
    let mut link = builder.network.links.remove(index);
    builder.add_route(&mut link, route, mask.as_deref());
    builder.network.links.insert(index, link);
}

fn name_service(value: &Value, [servers, domains]: [&str; 2], builder: &mut NetworkBuilder<'_>) {
    for server in texts_at(value, servers) {
        builder.add_nameserver(server);
    }
    for domain in texts_at(value, domains) {
        builder.add_search_domain(domain);
    }
}
