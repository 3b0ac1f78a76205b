//! The choice of the settings for a link.

use os_config::shell_pattern::matches;
use os_config::{Interface, Network};

use crate::link::Link;
use crate::pattern::{mac_pattern, plain_mac};

/// The settings for a link: by hardware address, else by its exact name, else by the longest pattern. A virtual
/// link has the address of another link, so the caller leaves its address empty.
pub fn settings<'a>(network: &'a Network, link: &Link) -> Option<&'a Interface> {
    settings_with_key(network, link).map(|(_, interface)| interface)
}

/// The settings for a link, with their key.
pub(crate) fn settings_with_key<'a>(
    network: &'a Network,
    link: &Link,
) -> Option<(&'a str, &'a Interface)> {
    let by_rank = |(key, interface): (&'a String, &'a Interface)| {
        let name = interface.match_.as_deref().unwrap_or(key);
        let rank = match mac_pattern(name) {
            Some(mac) if !link.mac.is_empty() => {
                matches(&plain_mac(mac), &plain_mac(&link.mac)).then_some((3, 0))?
            }
            Some(_) => return None,
            None if name == link.name => (2, 0),
            None => matches(name, &link.name).then_some((1, name.len()))?,
        };
        Some((rank, (key.as_str(), interface)))
    };
    network
        .interfaces
        .iter()
        .filter_map(by_rank)
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, found)| found)
}

/// The settings of exactly this name, without patterns, with their key.
pub(crate) fn settings_of_name<'a>(
    network: &'a Network,
    name: &str,
) -> Option<(&'a str, &'a Interface)> {
    let mut all = network.interfaces.iter();
    let found = all.find(|(key, interface)| interface.match_.as_ref().unwrap_or(key) == name);
    found.map(|(key, interface)| (key.as_str(), interface))
}

#[cfg(test)]
mod tests {
    use super::settings;
    use crate::link::Link;
    use os_config::{Interface, Network};

    /// The key of the settings that a link gets.
    fn found(link: (&str, &str), keys: &[&str]) -> Option<String> {
        let mut network = Network::default();
        for key in keys {
            // `key|pattern` is a key with a match of its own.
            let (key, pattern) = key.split_once('|').unwrap_or((key, ""));
            let interface = Interface {
                match_: Some(pattern.to_owned()).filter(|pattern| !pattern.is_empty()),
                dhcp_args: Some(key.to_owned()),
                ..Interface::default()
            };
            network.interfaces.insert(key.to_owned(), interface);
        }
        let link = Link {
            name: link.0.into(),
            mac: link.1.into(),
            master: None,
        };
        settings(&network, &link).and_then(|interface| interface.dhcp_args.clone())
    }

    #[test]
    fn the_reference_by_its_ids() {
        const MAC: &str = "52:54:00:12:34:56";
        for (id, link, keys, expected) in [
            (
                "NM-01",
                ("eth0", "aa:bb:cc:dd:ee:ff"),
                &["eth0|mac:aa:bb:cc:dd:ee:ff"][..],
                Some("eth0"),
            ),
            (
                "NM-02",
                ("eth0", "aa:bb:cc:12:34:56"),
                &["x|mac:aa:bb:cc:*"],
                Some("x"),
            ),
            (
                "NM-03",
                ("eth0", "11:bb:cc:dd:ee:ff"),
                &["x|mac:aa:bb:cc:*"],
                None,
            ),
            (
                "NM-04",
                ("eth0", "aa:bb:cc:dd:ee:11"),
                &["x|mac:aa:bb:cc:dd:ee:ff"],
                None,
            ),
            // The plan makes bonds; they have no hardware address yet, only a name.
            ("NM-05", ("bond0", ""), &["x|mac:aa:bb:*"], None),
            ("NM-06", ("eth0", MAC), &["eth0", "eth*"], Some("eth0")),
            ("NM-07", ("eth1", MAC), &["eth0", "eth*"], Some("eth*")),
            (
                "NM-08",
                ("eth0", MAC),
                &["eth0", "mac=52:54:00:12:34:56"],
                Some("mac=52:54:00:12:34:56"),
            ),
            (
                "NM-08",
                ("eth0", MAC),
                &["eth0", "x|mac:52:54:00:12:34:56"],
                Some("x"),
            ),
            (
                "NM-09",
                ("eth0", MAC),
                &["eth0", "mac=52:54:00:*"],
                Some("mac=52:54:00:*"),
            ),
            ("NM-10", ("eth0", MAC), &["x|eth*"], Some("x")),
            (
                "NM-11",
                ("eth0", MAC),
                &["mac=5254.0012.3456"],
                Some("mac=5254.0012.3456"),
            ),
            (
                "NM-11",
                ("eth0", MAC),
                &["mac=52-54-00-12-34-56"],
                Some("mac=52-54-00-12-34-56"),
            ),
            (
                "NM-11",
                ("eth0", "52:54:00:AA:34:56"),
                &["mac:525400aa3456"],
                Some("mac:525400aa3456"),
            ),
            (
                "NM-12",
                ("eth0", "52:54:00:12:34:ab"),
                &["mac=52:54:00:12:34:A*"],
                Some("mac=52:54:00:12:34:A*"),
            ),
            ("NM-13", ("eth0.100", ""), &["mac=52:54:00:12:34:56"], None),
            (
                "NM-14",
                ("eth0", MAC),
                &["mac=nonsense", "eth0"],
                Some("eth0"),
            ),
            ("NM-15", ("machine0", MAC), &["machine0"], Some("machine0")),
            ("NM-16", ("anything", MAC), &["*"], Some("*")),
        ] {
            assert_eq!(found(link, keys).as_deref(), expected, "{id}");
        }
    }
}
