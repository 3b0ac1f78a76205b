//! Version 2: netplan's, links by name below their kinds.

use serde_yaml::Value;

use super::{Found, Kind, Link, all_at, at, is_true, items, mtu, text};

pub(super) fn read(value: &Value, found: &mut Found<'_>) {
    for (id, link) in named(value, "ethernets") {
        let matched = link.get("match");
        let mac = matched.and_then(|matched| at(matched, "macaddress"));
        let name = at(link, "set-name")
            .filter(|_| mac.is_none())
            .or_else(|| matched.and_then(|matched| at(matched, "name")))
            // With a match by something else, the id is a name of the document's own.
            .or_else(|| matched.is_none().then(|| id.clone()));
        if mac.is_some() || name.is_some() {
            self::link(link, name.or(Some(id)), mac, Kind::Physical, found);
        } else {
            found.problem(format!(
                "{id}: only match by name and macaddress is supported"
            ));
        }
    }
    for (id, link) in named(value, "bonds") {
        let kind = Kind::Bond {
            members: all_at(link, "interfaces"),
            options: bond_options(link),
        };
        self::link(link, Some(id), None, kind, found);
    }
    for (id, link) in named(value, "bridges") {
        let kind = Kind::Bridge {
            members: all_at(link, "interfaces"),
        };
        self::link(link, Some(id), None, kind, found);
    }
    for (id, link) in named(value, "vlans") {
        let tag = at(link, "id").and_then(|tag| tag.parse().ok());
        match (tag, at(link, "link")) {
            (Some(tag), Some(parent)) => {
                let kind = Kind::Vlan {
                    id: tag,
                    link: parent,
                };
                self::link(link, Some(id), None, kind, found);
            }
            _ => found.problem(format!("{id}: a vlan needs id and link")),
        }
    }
    for kind in ["wifis", "tunnels", "modems", "vrfs"] {
        if value.get(kind).is_some() {
            found.problem(format!("{kind} are not supported"));
        }
    }
}

fn named<'a>(value: &'a Value, key: &str) -> Vec<(String, &'a Value)> {
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
    kind: Kind,
    found: &mut Found<'_>,
) {
    let mut link = Link {
        name,
        mac,
        kind,
        dhcp: is_true(value, "dhcp4") || is_true(value, "dhcp6"),
        mtu: mtu(value),
        ..Link::default()
    };
    for address in items(value, "addresses") {
        // An address may be a key, with options below it.
        let address = match address {
            Value::Mapping(entries) => entries.keys().next().and_then(text),
            other => text(other),
        };
        let address = address.and_then(|address| found.address(&address, None));
        link.addresses.extend(address);
    }
    for gateway in ["gateway4", "gateway6"]
        .iter()
        .filter_map(|key| at(value, key))
    {
        found.gateway(&mut link, &gateway);
    }
    for route in items(value, "routes") {
        if let (Some(to), Some(via)) = (at(route, "to"), at(route, "via")) {
            found.route(&mut link, &to, None, &via);
        }
    }
    if let Some(names) = value.get("nameservers") {
        for server in all_at(names, "addresses") {
            found.nameserver(server);
        }
        for domain in all_at(names, "search") {
            found.search(domain);
        }
    }
    found.add(link);
}

/// netplan's names of what the bonding driver calls otherwise.
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
