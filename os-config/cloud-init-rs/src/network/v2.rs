//! Version 2, which netplan defined: maps of links by name, a map for each kind.

use serde_yaml::Value;

use super::bond_options;
use super::bridge_options;
use super::builder::{Keys, NetworkBuilder};
use super::link::{Link, LinkKind, Route};
use super::yaml::{is_false_at, is_true_at, items_at, text, text_at, texts_at};

/// Keys of netplan that have no effect here, for every kind of link.
const NOT_DONE: &[&str] = &[
    "accept-ra",
    "activation-mode",
    "auth",
    "delay-virtual-functions-rebind",
    "dhcp4-overrides",
    "dhcp6-overrides",
    "embedded-switch-mode",
    "emit-lldp",
    "generic-receive-offload",
    "generic-segmentation-offload",
    "ignore-carrier",
    "infiniband-mode",
    "ipv6-address-generation",
    "ipv6-address-token",
    "ipv6-mtu",
    "ipv6-privacy",
    "large-receive-offload",
    "link-local",
    "neigh-suppress",
    "networkmanager",
    "openvswitch",
    "receive-checksum-offload",
    "routing-policy",
    "tcp-segmentation-offload",
    "tcp6-segmentation-offload",
    "transmit-checksum-offload",
    "virtual-function-count",
    "wakeonlan",
];
/// Keys with an effect. Nothing waits for a link and no DHCP lease is given up: `optional`, `critical` and the like ask
/// for what happens anyway.
const DONE: &[&str] = &[
    "match",
    "set-name",
    "dhcp4",
    "dhcp6",
    "dhcp-identifier",
    "addresses",
    "gateway4",
    "gateway6",
    "nameservers",
    "routes",
    "mtu",
    "macaddress",
    "interfaces",
    "parameters",
    "id",
    "link",
    "optional",
    "optional-addresses",
    "critical",
    "renderer",
];
const LINK: Keys<'_> = Keys {
    done: DONE,
    not_done: NOT_DONE,
};
const MATCH: Keys<'_> = Keys {
    done: &["macaddress", "name"],
    not_done: &["driver", "path", "originalname"],
};
const ROUTE: Keys<'_> = Keys {
    done: &[
        "to", "via", "on-link", "metric", "table", "from", "mtu", "scope", "type",
    ],
    not_done: &[
        "congestion-window",
        "advertised-receive-window",
        "advertised-mss",
    ],
};
const DOCUMENT: Keys<'_> = Keys {
    done: &[
        "version",
        "renderer",
        "ethernets",
        "bonds",
        "bridges",
        "vlans",
    ],
    not_done: &[
        "wifis",
        "tunnels",
        "modems",
        "vrfs",
        "openvswitch",
        "nm-devices",
        "dummy-devices",
        "virtual-ethernets",
    ],
};

pub(super) fn read(value: &Value, builder: &mut NetworkBuilder<'_>) {
    builder.check_keys("version 2", value, &DOCUMENT);
    for (id, link) in entries_at(value, "ethernets") {
        ethernet(&id, link, builder);
    }
    for (id, link) in entries_at(value, "bonds") {
        let kind = LinkKind::Bond {
            members: texts_at(link, "interfaces"),
            options: bond_options::read(link, "parameters"),
        };
        virtual_link(id, link, kind, builder);
    }
    for (id, link) in entries_at(value, "bridges") {
        let options = bridge_options::read(&id, link.get("parameters"), builder);
        let kind = LinkKind::Bridge {
            members: texts_at(link, "interfaces"),
            options,
        };
        virtual_link(id, link, kind, builder);
    }
    for (id, link) in entries_at(value, "vlans") {
        let tag = text_at(link, "id").and_then(|tag| tag.parse().ok());
        match (tag, text_at(link, "link")) {
            (Some(tag), Some(parent)) => {
                let kind = LinkKind::Vlan {
                    id: tag,
                    link: parent,
                };
                virtual_link(id, link, kind, builder);
            }
            _ => builder.add_problem(format!("{id}: a vlan needs id and link")),
        }
    }
}

fn entries_at<'a>(value: &'a Value, key: &str) -> Vec<(String, &'a Value)> {
    let entries = value.get(key).and_then(Value::as_mapping);
    let entries = entries.into_iter().flatten();
    entries
        .filter_map(|(name, value)| Some((text(name)?, value)))
        .collect()
}

fn ethernet(id: &str, value: &Value, builder: &mut NetworkBuilder<'_>) {
    let matched = value.get("match").filter(|matched| !matched.is_null());
    if let Some(matched) = matched {
        builder.check_keys(&format!("{id}: match"), matched, &MATCH);
    }
    let mac = matched.and_then(|matched| text_at(matched, "macaddress"));
    let mac = mac.and_then(|mac| builder.parse_mac(id, mac));
    let by_name = matched.and_then(|matched| text_at(matched, "name"));
    let new_name = text_at(value, "set-name");
    let kernel_name = by_name.as_deref().unwrap_or(id);
    if let Some(new_name) = new_name.filter(|name| name != kernel_name && !name.starts_with("eth"))
    {
        builder.add_problem(format!(
            "{id}: set-name: links keep the kernel's names; \"{new_name}\" has no effect"
        ));
    }
    // Without a match the id is the link's name; beside a match it is only a label in the document.
    let name = by_name.or_else(|| matched.is_none().then(|| id.to_owned()));
    if mac.is_none() && name.is_none() {
        return builder.add_problem(format!(
            "{id}: only match by name and macaddress is supported"
        ));
    }
    let link = Link {
        label: Some(id.to_owned()),
        name: name.or_else(|| Some(id.to_owned())),
        mac,
        ..Link::default()
    };
    self::link(id, value, link, builder);
}

fn virtual_link(id: String, value: &Value, kind: LinkKind, builder: &mut NetworkBuilder<'_>) {
    let link = Link {
        name: Some(id.clone()),
        kind,
        ..Link::default()
    };
    self::link(&id, value, link, builder);
}

/// Adds what every kind of link has.
fn link(id: &str, value: &Value, link: Link, builder: &mut NetworkBuilder<'_>) {
    builder.check_keys(id, value, &LINK);
    for key in ["dhcp4", "dhcp6"] {
        if value.get(key).is_some() && !is_true_at(value, key) && !is_false_at(value, key) {
            builder.add_problem(format!("{id}: {key}: expected true or false"));
        }
    }
    let set_mac = text_at(value, "macaddress").and_then(|mac| builder.parse_mac(id, mac));
    let mut link = Link {
        dhcp: is_true_at(value, "dhcp4") || is_true_at(value, "dhcp6"),
        mtu: builder.mtu(id, value),
        set_mac,
        ..link
    };
    for address in items_at(value, "addresses") {
        // An address with options is a key, and the options stand below it.
        let address = match address {
            Value::Mapping(entries) => entries.keys().next().and_then(text),
            other => text(other),
        };
        match address {
            Some(address) if !address.contains('/') => builder.add_problem(format!(
                "{id}: addresses: expected an address with its prefix, such as 192.168.1.5/24, found \"{address}\""
            )),
            Some(address) => link.addresses.extend(builder.parse_address(&address, None)),
            None => {}
        }
    }
    for gateway in ["gateway4", "gateway6"]
        .iter()
        .filter_map(|key| text_at(value, key))
    {
        builder.set_gateway(&mut link, &gateway);
    }
    for item in items_at(value, "routes") {
        if let Some(route) = route(id, item, builder) {
            builder.add_route(&mut link, route, None);
        }
    }
    if let Some(names) = value.get("nameservers") {
        for server in texts_at(names, "addresses") {
            builder.add_nameserver(server);
        }
        for domain in texts_at(names, "search") {
            builder.add_search_domain(domain);
        }
    }
    builder.add_link(link);
}

fn route(id: &str, item: &Value, builder: &mut NetworkBuilder<'_>) -> Option<Route> {
    let name = format!("{id}: routes");
    builder.check_keys(&name, item, &ROUTE);
    let Some(to) = text_at(item, "to") else {
        builder.add_problem(format!("{name}: a route needs `to`"));
        return None;
    };
    let via = text_at(item, "via");
    let scope = text_at(item, "scope");
    if via.is_none() && scope.as_deref() != Some("link") {
        builder.add_problem(format!("{name}: a route needs `via`, or `scope: link`"));
        return None;
    }
    if let Some(kind) = text_at(item, "type").filter(|kind| kind != "unicast") {
        builder.add_problem(format!(
            "{name}: type: PaddockOS makes no route of type \"{kind}\""
        ));
        return None;
    }
    Some(Route {
        to,
        via,
        metric: builder.number(&name, item, "metric", u32::MAX),
        table: builder.number(&name, item, "table", u32::MAX),
        source: text_at(item, "from"),
        mtu: builder.number(&name, item, "mtu", 65535),
        on_link: is_true_at(item, "on-link"),
    })
}
