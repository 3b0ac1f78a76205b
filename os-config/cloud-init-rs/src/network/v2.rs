//! Version 2, which netplan defined: maps of links by name, a map for each kind.

use serde_yaml::Value;

use super::builder::NetworkBuilder;
use super::link::{Link, LinkKind};
use super::yaml::{is_true_at, items_at, mtu, text, text_at, texts_at};

pub(super) fn read(value: &Value, builder: &mut NetworkBuilder<'_>) {
    for (id, link) in entries_at(value, "ethernets") {
        let matched = link.get("match");
        let mac = matched.and_then(|matched| text_at(matched, "macaddress"));
        let name = text_at(link, "set-name")
            .filter(|_| mac.is_none())
            .or_else(|| matched.and_then(|matched| text_at(matched, "name")))
            // Without a match the id is the link's name; beside a match it is only a label in the document.
            .or_else(|| matched.is_none().then(|| id.clone()));
        if mac.is_some() || name.is_some() {
            self::link(link, name.or(Some(id)), mac, LinkKind::Physical, builder);
        } else {
            builder.add_problem(format!(
                "{id}: only match by name and macaddress is supported"
            ));
        }
    }
    for (id, link) in entries_at(value, "bonds") {
        let kind = LinkKind::Bond {
            members: texts_at(link, "interfaces"),
            options: bond_options(link),
        };
        self::link(link, Some(id), None, kind, builder);
    }
    for (id, link) in entries_at(value, "bridges") {
        let kind = LinkKind::Bridge {
            members: texts_at(link, "interfaces"),
        };
        self::link(link, Some(id), None, kind, builder);
    }
    for (id, link) in entries_at(value, "vlans") {
        let tag = text_at(link, "id").and_then(|tag| tag.parse().ok());
        match (tag, text_at(link, "link")) {
            (Some(tag), Some(parent)) => {
                let kind = LinkKind::Vlan {
                    id: tag,
                    link: parent,
                };
                self::link(link, Some(id), None, kind, builder);
            }
            _ => builder.add_problem(format!("{id}: a vlan needs id and link")),
        }
    }
    for kind in ["wifis", "tunnels", "modems", "vrfs"] {
        if value.get(kind).is_some() {
            builder.add_problem(format!("{kind} are not supported"));
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

fn link(
    value: &Value,
    name: Option<String>,
    mac: Option<String>,
    kind: LinkKind,
    builder: &mut NetworkBuilder<'_>,
) {
    let mut link = Link {
        name,
        mac,
        kind,
        dhcp: is_true_at(value, "dhcp4") || is_true_at(value, "dhcp6"),
        mtu: mtu(value),
        ..Link::default()
    };
    for address in items_at(value, "addresses") {
        // An address with options is a key, and the options stand below it.
        let address = match address {
            Value::Mapping(entries) => entries.keys().next().and_then(text),
            other => text(other),
        };
        let address = address.and_then(|address| builder.parse_address(&address, None));
        link.addresses.extend(address);
    }
    for gateway in ["gateway4", "gateway6"]
        .iter()
        .filter_map(|key| text_at(value, key))
    {
        builder.set_gateway(&mut link, &gateway);
    }
    for route in items_at(value, "routes") {
        if let (Some(to), Some(via)) = (text_at(route, "to"), text_at(route, "via")) {
            builder.add_route(&mut link, &to, None, &via);
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

/// Options under the bonding driver's names, which differ from netplan's.
fn bond_options(link: &Value) -> Vec<(String, String)> {
    let parameters = link.get("parameters").and_then(Value::as_mapping);
    let parameters = parameters.into_iter().flatten();
    parameters
        .filter_map(|(key, value)| {
            let key = match text(key)?.as_str() {
                "mii-monitor-interval" => "miimon".to_owned(),
                "transmit-hash-policy" => "xmit_hash_policy".to_owned(),
                "up-delay" => "updelay".to_owned(),
                "down-delay" => "downdelay".to_owned(),
                other => other.replace('-', "_"),
            };
            Some((key, text(value)?))
        })
        .collect()
}
