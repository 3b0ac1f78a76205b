//! The machine's links, and which settings belong to each.

use std::path::Path;

use os_config::{Interface, Network};

/// A link of the machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) mac: String,
    /// The bond or bridge that it is part of.
    pub(super) master: Option<String>,
}

impl Link {
    /// A link that is not there yet.
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }
}

/// Links that belong to hardware, by name. What containers make is none of this program's business.
pub(super) fn hardware(root: &Path) -> Vec<Link> {
    let mut links: Vec<Link> = all_names(root)
        .into_iter()
        .filter(|name| folder(root, name).join("device").exists())
        .map(|name| {
            let mac = std::fs::read_to_string(folder(root, &name).join("address"));
            let master = std::fs::read_link(folder(root, &name).join("master"));
            Link {
                mac: mac.unwrap_or_default().trim().to_owned(),
                master: master
                    .ok()
                    .and_then(|path| Some(path.file_name()?.to_str()?.to_owned())),
                name,
            }
        })
        .collect();
    links.sort_by(|a, b| a.name.cmp(&b.name));
    links
}

/// The names of all links.
pub(super) fn all_names(root: &Path) -> Vec<String> {
    let folder = std::fs::read_dir(root.join("sys/class/net"));
    let entries = folder.into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn folder(root: &Path, name: &str) -> std::path::PathBuf {
    root.join("sys/class/net").join(name)
}

/// The settings for a link: by hardware address, else by its exact name, else by the longest pattern. What
/// is made of other links has their address as well, and is known by its name only.
pub(super) fn settings<'a>(network: &'a Network, link: &Link) -> Option<&'a Interface> {
    let by_rank = |(key, interface): (&'a String, &'a Interface)| {
        let name = interface.match_.as_deref().unwrap_or(key);
        let rank = match pattern_of_mac(name) {
            Some(mac) if !link.mac.is_empty() => {
                glob(&plain_mac(mac), &plain_mac(&link.mac)).then_some((3, 0))?
            }
            Some(_) => return None,
            None if name == link.name => (2, 0),
            None => glob(name, &link.name).then_some((1, name.len()))?,
        };
        Some((rank, interface))
    };
    network
        .interfaces
        .iter()
        .filter_map(by_rank)
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, interface)| interface)
}

/// What stands behind `mac:` or `mac=`. `machine0` is the name of a link.
pub(super) fn pattern_of_mac(name: &str) -> Option<&str> {
    name.strip_prefix("mac:")
        .or_else(|| name.strip_prefix("mac="))
}

/// Without what stands between the digits, in lower case: `5254.0012.3456` and `52-54-00-12-34-56` are one
/// address.
fn plain_mac(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_hexdigit() || matches!(c, '*' | '?'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// `*` and `?`, as interface patterns have them.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            let rest = pattern.trim_start_matches('*');
            text.char_indices()
                .map(|(i, _)| i)
                .chain([text.len()])
                .any(|i| glob(rest, &text[i..]))
        }
        (Some('?'), Some(c)) => glob(&pattern[1..], &text[c.len_utf8()..]),
        (Some(p), Some(c)) if p == c => glob(&pattern[p.len_utf8()..], &text[c.len_utf8()..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Link, glob, settings};
    use os_config::{Interface, Network};

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("eth*", "eth0", true),
            ("eth*", "wlan0", false),
            ("*", "", true),
            ("e?h0", "eth0", true),
            ("52:54:*:56", "52:54:00:12:34:56", true),
            ("eth1", "eth10", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "NM-16 {pattern} {text}");
        }
    }

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
            // A bond is made by this program and asked for by its name alone.
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
