//! Settings of interfaces that cannot be carried out: a link in two others, a link that rests on itself, a VLAN without a
//! name of its own, a link that is not there.

use std::collections::BTreeSet;

use os_config::{Interface, Network};

use crate::conflict::Conflict;
use crate::link::Link;
use crate::pattern::{mac_pattern, plain_mac};
use crate::virtual_links::{LINKS_WITHOUT_SETTINGS, VirtualLinks};

/// The conflicts that settings show without a machine.
pub fn conflicts(network: &Network) -> Vec<Conflict> {
    let hardware = likely_hardware(network);
    let plan = VirtualLinks::plan(network, &hardware, &hardware);
    let ignored = ignored_links(network);
    plan.conflicts.into_iter().chain(ignored).collect()
}

/// The interfaces whose links are not the user's.
fn ignored_links(network: &Network) -> impl Iterator<Item = Conflict> {
    let interfaces = network.interfaces.iter();
    let ignored = interfaces
        .filter(|(key, interface)| LINKS_WITHOUT_SETTINGS.contains(&name_of(key, interface)));
    ignored.map(|(key, _)| Conflict {
        interface: key.clone(),
        setting: None,
        why: "the link is the machine's own or Docker's, and its settings have no effect"
            .to_owned(),
    })
}

/// A link for each interface that no other interface makes.
fn likely_hardware(network: &Network) -> Vec<Link> {
    let mut made: BTreeSet<String> = BTreeSet::new();
    for (key, interface) in &network.interfaces {
        let masters = interface.bond.iter().chain(&interface.bridge);
        made.extend(masters.filter(|name| *name != "true").cloned());
        if interface.bridge.as_deref() == Some("true") {
            made.insert(key.clone());
        }
        let vlans = os_config::parse_vlans(interface.vlans.as_deref().unwrap_or_default());
        let parent = name_of(key, interface);
        let names = vlans.into_iter().flatten().map(|(id, name)| {
            // A VLAN with the name of its parent makes no link.
            name.unwrap_or_else(|| format!("{parent}.{id}"))
        });
        made.extend(names.filter(|name| name != parent));
    }
    let mut links: Vec<Link> = Vec::new();
    for (number, (key, interface)) in network.interfaces.iter().enumerate() {
        let name = name_of(key, interface);
        let link = match mac_pattern(name) {
            Some(mac) => Link {
                mac: plain_mac(mac).replace(['*', '?'], "0"),
                ..Link::with_name(&format!("link{number}"))
            },
            None => Link::with_name(&name.replace(['*', '?'], "0")),
        };
        let is_known = network.interfaces.contains_key(&link.name) && link.name != *key;
        if !made.contains(&link.name) && !is_known {
            links.push(link);
        }
    }
    links
}

/// The interfaces of `network` whose links are not among `links`, or are not the user's. A pattern may match none.
pub fn absent_links(network: &Network, links: &[Link]) -> Vec<Conflict> {
    let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
    let is_there = |name: &str| match mac_pattern(name) {
        Some(mac) => links
            .iter()
            .any(|link| plain_mac(&link.mac) == plain_mac(mac)),
        None => names.contains(&name),
    };
    let is_pattern = |name: &str| name.contains(['*', '?', '[']);
    let interfaces = network.interfaces.iter();
    let absent = interfaces.filter(|(key, interface)| {
        let name = name_of(key, interface);
        !is_pattern(name) && !is_there(name) && !LINKS_WITHOUT_SETTINGS.contains(&name)
    });
    let known = match names.as_slice() {
        [] => "there is no link at all".to_owned(),
        names => format!("the machine has {}", names.join(", ")),
    };
    let absent = absent.map(|(key, _)| Conflict {
        interface: key.clone(),
        setting: None,
        why: format!(
            "there is no such link, and its settings have no effect ({known}); if it comes later, `sudo system-docker \
             restart network` sets it up"
        ),
    });
    absent.chain(ignored_links(network)).collect()
}

/// The name or pattern that an interface stands for.
fn name_of<'a>(key: &'a str, interface: &'a Interface) -> &'a str {
    interface.match_.as_deref().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::{absent_links, conflicts};
    use crate::conflict::Conflict;
    use crate::link::Link;
    use crate::virtual_links::VirtualLinks;
    use os_config::{Interface, Network};

    /// A network of interfaces, each `KEY SETTING=VALUE …`.
    fn network(interfaces: &[&str]) -> Network {
        let mut network = Network::default();
        for line in interfaces {
            let mut words = line.split(' ');
            let key = words.next().unwrap().to_owned();
            let mut interface = Interface::default();
            for word in words {
                let (setting, value) = word.split_once('=').unwrap();
                let value = Some(value.to_owned());
                match setting {
                    "bond" => interface.bond = value,
                    "bridge" => interface.bridge = value,
                    "vlans" => interface.vlans = value,
                    _ => interface.match_ = value,
                }
            }
            network.interfaces.insert(key, interface);
        }
        network
    }

    #[test]
    fn settings_that_cannot_be_carried_out() {
        for (interfaces, expected) in [
            // What works.
            (
                &[
                    "eth0 bond=b",
                    "eth1 bond=b",
                    "b bridge=br vlans=5",
                    "br bridge=true",
                ][..],
                &[][..],
            ),
            (&["eth1 vlans=100", "eth1.100 bridge=br0"], &[]),
            (&["eth* bond=b", "b vlans=7,8:eight", "eight vlans=3"], &[]),
            (
                &["mac:525400123456 vlans=100", "x match=eth? bridge=br"],
                &[],
            ),
            // A pattern counts for hardware, and its VLANs have none of themselves.
            (&["* vlans=5"], &[]),
            // Two masters.
            (&["eth0 bond=b bridge=br"], &["eth0.bridge"]),
            (
                &["mac:525400123456 bond=b bridge=br"],
                &["mac:525400123456.bridge"],
            ),
            (&["eth* bond=b bridge=br"], &["eth*.bridge"]),
            // A name of two kinds.
            (&["eth0 bond=m", "eth1 bridge=m"], &["eth1.bridge"]),
            (&["m bridge=true", "eth0 bond=m"], &["m.bridge"]),
            // A link in itself.
            (&["eth0 bond=eth0"], &["eth0.bond"]),
            (&["br0 bridge=br0"], &["br0.bridge"]),
            (&["eth0 vlans=5:eth0"], &["eth0.vlans"]),
            // Circles.
            (&["a bridge=b", "b bridge=a"], &["b.bridge"]),
            (&["bond0 bridge=br0", "br0 bond=bond0"], &["br0.bond"]),
            (
                &["br0 bridge=true vlans=5", "br0.5 bridge=br0"],
                &["br0.5.bridge"],
            ),
            (
                &["a bond=b", "b bond=c", "c bond=a", "eth0 bond=a"],
                &["c.bond"],
            ),
            // Names of VLANs.
            (&["eth0 vlans=5:x", "eth1 vlans=6:x"], &["eth1.vlans"]),
            (&["eth0 vlans=5,5"], &["eth0.vlans"]),
            (&["eth0 vlans=5:br bridge=br"], &["eth0.vlans"]),
            (&["enp0s31f6u1u2 vlans=100"], &["enp0s31f6u1u2.vlans"]),
            // Links that are not the user's.
            (&["lo", "docker0", "eth0"], &["docker0", "lo"]),
        ] {
            let found: Vec<String> = conflicts(&network(interfaces))
                .iter()
                .map(|conflict| conflict.path().replace("rancher.network.interfaces.", ""))
                .collect();
            assert_eq!(found, expected, "{interfaces:?}");
        }
    }

    #[test]
    fn hardware_is_no_bond_no_bridge_and_no_vlan() {
        let hardware = ["eth0", "eth1"].map(Link::with_name);
        for (interface, expected) in [
            ("eth0 bond=eth1", "eth0.bond"),
            ("eth0 bridge=eth1", "eth0.bridge"),
            ("eth0 vlans=5:eth1", "eth0.vlans"),
        ] {
            let plan = VirtualLinks::plan(&network(&[interface]), &hardware, &hardware);
            let found: Vec<String> = plan.conflicts.iter().map(Conflict::path).collect();
            assert_eq!(found, [format!("rancher.network.interfaces.{expected}")]);
            assert_eq!(plan.commands, [], "{interface}");
            assert!(plan.links.is_empty(), "{interface}");
        }
    }

    #[test]
    fn an_interface_without_its_link_is_named() {
        let links = [("eth0", "52:54:00:12:34:56"), ("br0", "")].map(|(name, mac)| Link {
            name: name.into(),
            mac: mac.into(),
            master: None,
        });
        for (interface, is_absent) in [
            ("eth0", false),
            ("eht0", true),
            ("br0 bridge=true", false),
            ("wlan*", false),
            ("lan match=eth0", false),
            ("lan match=eth1", true),
            ("mac:5254.0012.3456", false),
            ("mac:52:54:00:12:34:57", true),
            ("mac:52:54:*", false),
        ] {
            let found = absent_links(&network(&[interface]), &links);
            assert_eq!(
                found.len(),
                usize::from(is_absent),
                "{interface}: {found:?}"
            );
            if let Some(conflict) = found.first() {
                let text = conflict.to_string();
                assert!(text.contains("the machine has eth0, br0"), "{text}");
            }
        }
        let found = absent_links(&network(&["eth0"]), &[]);
        assert!(found[0].why.contains("no link at all"), "{found:?}");
    }
}
