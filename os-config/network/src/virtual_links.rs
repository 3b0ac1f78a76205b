//! Links on top of other links: bridges, bonds, VLANs.

use std::collections::BTreeMap;

use os_config::Network;

use crate::command::{NetworkCommand, ip};
use crate::link::Link;
use crate::settings::settings;

/// The links and the commands that make them. A link that exists already is left as it is, so that a restart of the
/// network does not interrupt it.
#[derive(Debug, Default)]
pub struct VirtualLinks {
    /// The commands, in order.
    pub commands: Vec<NetworkCommand>,
    /// The links, also those that exist already.
    pub links: Vec<Link>,
    /// Settings that cannot be understood, by interface.
    pub problems: Vec<String>,
}

impl VirtualLinks {
    /// Plans bridges and bonds, then VLANs on any link. `existing` names every link of the machine.
    pub fn plan(network: &Network, hardware: &[Link], existing: &[String]) -> Self {
        let mut plan = Self::default();
        plan.add_masters(network, hardware, existing);
        let parents: Vec<Link> = hardware.iter().chain(&plan.links).cloned().collect();
        for parent in &parents {
            let list = settings(network, parent).and_then(|interface| interface.vlans.as_deref());
            match parse_vlans(list.unwrap_or_default()) {
                Ok(vlans) => plan.add_vlans(parent, &vlans, existing),
                Err(wrong) => plan.problems.push(format!(
                    "{}: vlans: expected `ID` or `ID:NAME` with commas between, found {wrong:?}",
                    parent.name
                )),
            }
        }
        plan
    }

    fn add_masters(&mut self, network: &Network, hardware: &[Link], existing: &[String]) {
        let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
        for (key, interface) in &network.interfaces {
            // `bridge: true` makes a bridge of that name; any other value is the bridge to join.
            match interface.bridge.as_deref() {
                Some("true") => drop(kinds.insert(key, "bridge")),
                Some("") | None => {}
                Some(name) => drop(kinds.entry(name).or_insert("bridge")),
            }
            if let Some(name) = interface.bond.as_deref().filter(|name| !name.is_empty()) {
                kinds.insert(name, "bond");
            }
        }
        for (name, kind) in kinds {
            if !existing.iter().any(|known| known == name) {
                let options = network.interfaces.get(name).map(|found| &found.bond_opts);
                self.commands.push(creation_command(name, kind, options));
            }
            self.links.push(Link::with_name(name));
        }
        for link in hardware {
            let Some(interface) = settings(network, link) else {
                continue;
            };
            let bridge = interface.bridge.as_deref().filter(|name| *name != "true");
            let master = interface.bond.as_deref().or(bridge);
            let Some(master) = master.filter(|name| !name.is_empty()) else {
                continue;
            };
            if link.master.as_deref() != Some(master) {
                // A bond takes only links that are down.
                self.commands.push(ip(&["link", "set", &link.name, "down"]));
                self.commands
                    .push(ip(&["link", "set", &link.name, "master", master]));
                self.commands.push(ip(&["link", "set", &link.name, "up"]));
            }
        }
        for link in &self.links {
            self.commands.push(ip(&["link", "set", &link.name, "up"]));
        }
    }

    fn add_vlans(&mut self, parent: &Link, vlans: &[(u16, Option<String>)], existing: &[String]) {
        for (id, name) in vlans {
            let name = name
                .clone()
                .unwrap_or_else(|| format!("{}.{id}", parent.name));
            if !existing.contains(&name) {
                let id = id.to_string();
                self.commands.push(ip(&["link", "set", &parent.name, "up"]));
                self.commands.push(ip(&[
                    "link",
                    "add",
                    "link",
                    &parent.name,
                    "name",
                    &name,
                    "type",
                    "vlan",
                    "id",
                    &id,
                ]));
            }
            self.commands.push(ip(&["link", "set", &name, "up"]));
            self.links.push(Link::with_name(&name));
        }
    }
}

fn creation_command(
    name: &str,
    kind: &str,
    options: Option<&BTreeMap<String, String>>,
) -> NetworkCommand {
    let command = ip(&["link", "add", name, "type", kind]);
    if kind != "bond" {
        return command;
    }
    let options = options.into_iter().flatten();
    // The mode decides which other options there are.
    let (mode, others): (Vec<_>, Vec<_>) = options.partition(|(key, _)| *key == "mode");
    let pairs = mode.into_iter().chain(others);
    command.with(pairs.flat_map(|(key, value)| [key.clone(), value.clone()]))
}

/// Ids with their names in a list such as `100,200:name`; the error is the first part without a valid id.
fn parse_vlans(list: &str) -> Result<Vec<(u16, Option<String>)>, String> {
    if list.trim().is_empty() {
        return Ok(Vec::new());
    }
    list.split(',')
        .map(|item| {
            let (id, name) = match item.trim().split_once(':') {
                Some((id, name)) => (id, Some(name.to_owned()).filter(|name| !name.is_empty())),
                None => (item.trim(), None),
            };
            let id = id.parse().ok().filter(|id| (0..4095).contains(id));
            id.map(|id| (id, name)).ok_or_else(|| item.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{VirtualLinks, parse_vlans};
    use crate::link::Link;
    use os_config::{Interface, Network};

    #[test]
    fn lists_of_vlans_by_the_references_ids() {
        let named = |id, name: &str| (id, Some(name.to_owned()));
        for (id, list, expected) in [
            ("NV-01", "100", Ok(vec![(100, None)])),
            (
                "NV-02",
                "100,200:foobar",
                Ok(vec![(100, None), named(200, "foobar")]),
            ),
            ("NV-03", " 100 , 200 ", Ok(vec![(100, None), (200, None)])),
            ("NV-04", "100:", Ok(vec![(100, None)])),
            ("NV-04", "100:a:b", Ok(vec![named(100, "a:b")])),
            ("NV-05", "", Ok(vec![])),
            ("NV-06", "abc", Err("abc")),
            ("NV-06", "100,abc", Err("abc")),
            ("NV-06", ",", Err("")),
            ("NV-06", "100,", Err("")),
            ("", "5000", Err("5000")),
        ] {
            assert_eq!(
                parse_vlans(list),
                expected.map_err(str::to_owned),
                "{id} {list:?}"
            );
        }
    }

    fn interface(change: impl FnOnce(&mut Interface)) -> Interface {
        let mut interface = Interface::default();
        change(&mut interface);
        interface
    }

    fn link(name: &str, master: Option<&str>) -> Link {
        Link {
            name: name.into(),
            mac: String::new(),
            master: master.map(str::to_owned),
        }
    }

    fn lines(network: &Network, hardware: &[Link], existing: &[&str]) -> Vec<String> {
        let existing: Vec<String> = existing.iter().map(|&name| name.into()).collect();
        let plan = VirtualLinks::plan(network, hardware, &existing);
        plan.commands.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn bonds_with_vlans() {
        let mut network = Network::default();
        let all = &mut network.interfaces;
        all.insert("eth*".into(), interface(|i| i.bond = Some("bond0".into())));
        all.insert(
            "bond0".into(),
            interface(|i| {
                i.bond_opts.insert("miimon".into(), "100".into());
                i.bond_opts.insert("mode".into(), "1".into());
                i.vlans = Some("7,8:eight".into());
            }),
        );
        let hardware = [link("eth0", None), link("eth1", None)];
        assert_eq!(
            lines(&network, &hardware, &["eth0", "eth1"]),
            [
                "ip link add bond0 type bond mode 1 miimon 100",
                "ip link set eth0 down",
                "ip link set eth0 master bond0",
                "ip link set eth0 up",
                "ip link set eth1 down",
                "ip link set eth1 master bond0",
                "ip link set eth1 up",
                "ip link set bond0 up",
                "ip link set bond0 up",
                "ip link add link bond0 name bond0.7 type vlan id 7",
                "ip link set bond0.7 up",
                "ip link set bond0 up",
                "ip link add link bond0 name eight type vlan id 8",
                "ip link set eight up",
            ]
        );
        // Every link exists: no link is taken down.
        let hardware = [link("eth0", Some("bond0")), link("eth1", Some("bond0"))];
        assert_eq!(
            lines(
                &network,
                &hardware,
                &["eth0", "eth1", "bond0", "bond0.7", "eight"]
            ),
            [
                "ip link set bond0 up",
                "ip link set bond0.7 up",
                "ip link set eight up"
            ]
        );
    }

    #[test]
    fn bridges_and_wrong_lists_of_vlans() {
        let mut network = Network::default();
        let all = &mut network.interfaces;
        all.insert("br0".into(), interface(|i| i.bridge = Some("true".into())));
        all.insert(
            "eth0".into(),
            interface(|i| {
                i.bridge = Some("br0".into());
                i.vlans = Some("x".into());
            }),
        );
        let hardware = [link("eth0", None)];
        assert_eq!(
            lines(&network, &hardware, &["eth0"]),
            [
                "ip link add br0 type bridge",
                "ip link set eth0 down",
                "ip link set eth0 master br0",
                "ip link set eth0 up",
                "ip link set br0 up",
            ]
        );
        let plan = VirtualLinks::plan(&network, &hardware, &[]);
        assert!(plan.problems[0].contains("eth0: vlans: expected"), "NV-06");
    }
}
