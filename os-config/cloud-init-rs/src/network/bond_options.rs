//! Options of a bond under the names of the kernel's bonding driver. Each format has names of its own.

use serde_yaml::Value;

use super::yaml::{text, texts_at};

/// netplan's names that are more than another spelling with hyphens. `gratuitious` is netplan's first spelling.
const NETPLAN: [(&str, &str); 12] = [
    ("all-members-active", "all_slaves_active"),
    ("arp-ip-targets", "arp_ip_target"),
    ("down-delay", "downdelay"),
    ("fail-over-mac-policy", "fail_over_mac"),
    ("gratuitious-arp", "num_grat_arp"),
    ("gratuitous-arp", "num_grat_arp"),
    ("learn-packet-interval", "lp_interval"),
    ("mii-monitor-interval", "miimon"),
    ("packets-per-member", "packets_per_slave"),
    ("primary-reselect-policy", "primary_reselect"),
    ("transmit-hash-policy", "xmit_hash_policy"),
    ("up-delay", "updelay"),
];
/// Options of ifupdown about a bond's members, which a document names elsewhere.
const MEMBERS: [&str; 2] = ["slaves", "master"];

/// The options in the mapping at `key` of a bond. The reader of the cloud-config names the options that no bond has.
pub(super) fn read(bond: &Value, key: &str) -> Vec<(String, String)> {
    let options = bond.get(key).and_then(Value::as_mapping);
    let names = options
        .into_iter()
        .flatten()
        .filter_map(|(name, _)| text(name));
    names
        .filter_map(|name| {
            let values = texts_at(bond.get(key)?, &name);
            let value = match values.as_slice() {
                [] => return None,
                list => list.join(","),
            };
            let driver_name = driver_name(&name)?;
            Some((driver_name, plain_time(&value).to_owned()))
        })
        .collect()
}

/// The bonding driver's name of an option; `None` for an option about members.
fn driver_name(name: &str) -> Option<String> {
    if let Some((_, known)) = NETPLAN.iter().find(|(netplan, _)| *netplan == name) {
        return Some((*known).to_owned());
    }
    let name = name.replace('-', "_");
    let name = name.strip_prefix("bond_").unwrap_or(&name);
    (!MEMBERS.contains(&name)).then(|| name.to_owned())
}

/// A time without netplan's unit: the driver counts in milliseconds.
fn plain_time(value: &str) -> &str {
    match value.strip_suffix("ms") {
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => number,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn every_name_of_netplan_and_of_ifupdown() {
        for (document, expected) in [
            ("mii-monitor-interval: 100ms", Some(("miimon", "100"))),
            ("gratuitious-arp: 5", Some(("num_grat_arp", "5"))),
            ("gratuitous-arp: 5", Some(("num_grat_arp", "5"))),
            (
                "fail-over-mac-policy: active",
                Some(("fail_over_mac", "active")),
            ),
            (
                "primary-reselect-policy: better",
                Some(("primary_reselect", "better")),
            ),
            ("learn-packet-interval: 2", Some(("lp_interval", "2"))),
            (
                "all-members-active: true",
                Some(("all_slaves_active", "true")),
            ),
            (
                "all-slaves-active: false",
                Some(("all_slaves_active", "false")),
            ),
            ("packets-per-member: 3", Some(("packets_per_slave", "3"))),
            (
                "arp-ip-targets: [10.0.0.1, 10.0.0.2]",
                Some(("arp_ip_target", "10.0.0.1,10.0.0.2")),
            ),
            ("lacp-rate: fast", Some(("lacp_rate", "fast"))),
            ("min-links: 2", Some(("min_links", "2"))),
            ("up-delay: 10", Some(("updelay", "10"))),
            ("bond-mode: 802.3ad", Some(("mode", "802.3ad"))),
            ("bond_miimon: 100", Some(("miimon", "100"))),
            ("bond-slaves: none", None),
            ("bond-updelay: 3", Some(("updelay", "3"))),
            ("mimon: 100", Some(("mimon", "100"))),
            ("miimon:", None),
        ] {
            let bond = format!("parameters: {{{document} }}");
            let bond = serde_yaml::from_str(&bond).unwrap();
            let found = read(&bond, "parameters");
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(
                found,
                expected.into_iter().collect::<Vec<_>>(),
                "{document}"
            );
        }
    }
}
