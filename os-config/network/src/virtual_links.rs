//! Links that are no hardware: bridges, bonds and VLANs, which the plan makes, and links that a key names.

use std::collections::{BTreeMap, BTreeSet};

use os_config::{Interface, Network};

use crate::command::{NetworkCommand, hooks, ip};
use crate::conflict::Conflict;
use crate::layers::Layers;
use crate::link::Link;
use crate::settings::{settings, settings_of_name, settings_with_key};

/// Links whose names belong to the machine itself or to Docker; RancherOS ignores their settings too.
pub(crate) const LINKS_WITHOUT_SETTINGS: [&str; 3] = ["lo", "docker-sys", "docker0"];

/// The links and the commands that make them. A link that exists already is left as it is, so that a restart of the
/// network does not interrupt it.
#[derive(Debug, Default)]
pub struct VirtualLinks {
    /// The commands, in order.
    pub commands: Vec<NetworkCommand>,
    /// The links, also those that exist already, and other links that a key names, such as a tunnel of `pre_cmds`.
    pub links: Vec<Link>,
    /// The names of the links that bonds and bridges consist of. Their `pre_up` is among the commands.
    pub(crate) members: BTreeSet<String>,
    /// The settings that cannot be carried out.
    pub conflicts: Vec<Conflict>,
    /// The bridges and bonds, each with its kind.
    masters: BTreeMap<String, &'static str>,
    layers: Layers,
    /// The names of hardware.
    hardware: BTreeSet<String>,
}

/// The kernel's limit for the name of a link, in bytes.
const LONGEST_NAME: usize = 15;
const BRIDGE: &str = "bridge";
const BOND: &str = "bond";

impl VirtualLinks {
    /// Plans bridges and bonds with their hardware, then VLANs on any link, then the links without hardware that join a
    /// bridge or bond. `existing` are all links of the machine.
    pub fn plan(network: &Network, hardware: &[Link], existing: &[Link]) -> Self {
        let mut plan = Self {
            hardware: hardware.iter().map(|link| link.name.clone()).collect(),
            ..Self::default()
        };
        plan.add_masters(network, existing);
        for link in hardware {
            if let Some((key, interface)) = settings_with_key(network, link) {
                plan.join(link, key, interface);
            }
        }
        let masters = plan.links.len();
        for index in 0..masters {
            plan.set_up(index);
        }
        for parent in hardware.iter().chain(&plan.links.clone()) {
            let settings = settings_with_key(network, parent);
            plan.add_vlans(settings, parent, existing);
        }
        plan.add_vlans_from(masters, network, existing);
        let made = plan.links.len();
        plan.add_named_links(network, hardware, existing);
        plan.add_vlans_from(made, network, existing);
        for link in plan.links.clone() {
            // A pattern for hardware, such as `eth*`, matches VLANs by their names too: they would join what their
            // parent has joined, and packets would circle.
            if let Some((key, interface)) = settings_of_name(network, &link.name) {
                plan.join(&link, key, interface);
            }
        }
        plan
    }

    fn add_masters(&mut self, network: &Network, existing: &[Link]) {
        let mut kinds: BTreeMap<&str, &'static str> = BTreeMap::new();
        for (key, interface) in &network.interfaces {
            // `bridge: true` makes a bridge of that name; any other value is the bridge to join.
            match interface.bridge.as_deref() {
                Some("true") => drop(kinds.entry(key).or_insert(BRIDGE)),
                Some("") | None => {}
                Some(name) => drop(kinds.entry(name).or_insert(BRIDGE)),
            }
            if let Some(name) = interface.bond.as_deref().filter(|name| !name.is_empty()) {
                kinds.insert(name, BOND);
            }
        }
        for (key, interface) in &network.interfaces {
            let is_bridge = interface.bridge.as_deref() == Some("true");
            if is_bridge && kinds.get(key.as_str()) == Some(&BOND) {
                let why = "another interface takes it for a bond; leave one of them out".to_owned();
                self.conflicts.push(Conflict::new(key, BRIDGE, why));
            }
        }
        // The members of hardware that stands for a bond or bridge are told when they join.
        kinds.retain(|name, _| !self.hardware.contains(*name));
        for (name, kind) in kinds {
            self.masters.insert(name.to_owned(), kind);
            let known = existing.iter().find(|link| link.name == name);
            if known.is_none() {
                let interface = settings(network, &Link::with_name(name));
                let options = interface.map(|found| &found.bond_opts);
                self.commands.extend(creation_commands(name, kind, options));
            }
            self.add_link(name, known);
        }
    }

    fn add_link(&mut self, name: &str, known: Option<&Link>) {
        if self.links.iter().all(|link| link.name != name) {
            self.links.push(Link {
                master: known.and_then(|link| link.master.clone()),
                ..Link::with_name(name)
            });
        }
    }

    /// Adds the links that exist, and that a key names without a pattern. A pattern counts for hardware, so that links of
    /// containers are left alone.
    fn add_named_links(&mut self, network: &Network, hardware: &[Link], existing: &[Link]) {
        for link in existing {
            let is_hardware = hardware.iter().any(|known| known.name == link.name);
            let is_ignored = LINKS_WITHOUT_SETTINGS.contains(&link.name.as_str());
            if !is_hardware && !is_ignored && settings_of_name(network, &link.name).is_some() {
                self.add_link(&link.name, Some(link));
            }
        }
    }

    fn set_up(&mut self, index: usize) {
        if let Some(link) = self.links.get(index) {
            self.commands
                .push(ip(&["link", "set", "dev", &link.name, "up"]));
        }
    }

    /// Makes a link part of the bond or bridge that its settings name. Its `pre_up` comes before: a bond takes over the
    /// hardware address of its first member.
    fn join(&mut self, link: &Link, key: &str, interface: &Interface) {
        let Some(master) = self.master_of(link, key, interface) else {
            return;
        };
        if self.members.insert(link.name.clone()) {
            self.commands
                .extend(hooks(&interface.pre_up, "pre_up", &link.name));
        }
        if link.master.as_deref() != Some(master) {
            // A bond takes only links that are down.
            self.commands
                .push(ip(&["link", "set", "dev", &link.name, "down"]));
            self.commands
                .push(ip(&["link", "set", "dev", &link.name, "master", master]));
            self.commands
                .push(ip(&["link", "set", "dev", &link.name, "up"]));
        }
    }

    /// The bond or bridge that a link is to join, unless it cannot.
    fn master_of<'a>(
        &mut self,
        link: &Link,
        key: &str,
        interface: &'a Interface,
    ) -> Option<&'a str> {
        let named = |name: &'a Option<String>| name.as_deref().filter(|name| !name.is_empty());
        let bond = named(&interface.bond);
        let bridge = named(&interface.bridge).filter(|name| *name != "true");
        let mut refuse = |setting, why| self.conflicts.push(Conflict::new(key, setting, why));
        if let Some((bond, bridge)) = bond.zip(bridge) {
            let why = format!(
                "the link is in the bond {bond}, and a link can be in one other alone; to have the bond in the bridge, \
                 write `bridge: {bridge}` at {bond}"
            );
            refuse(BRIDGE, why);
        }
        let (setting, master) = match (bond, bridge) {
            (Some(bond), _) => (BOND, bond),
            (None, bridge) => (BRIDGE, bridge?),
        };
        if master == link.name {
            let why = match setting {
                BOND => "a link cannot be in itself; `bond` names the bond at its members",
                _ => "a link cannot be in itself; `bridge: true` makes a bridge of this name",
            };
            refuse(setting, why.to_owned());
            return None;
        }
        if self.hardware.contains(master) {
            let why = format!(
                "{master} is hardware, and no {setting}; give the {setting} a name of its own"
            );
            refuse(setting, why);
            return None;
        }
        if setting == BRIDGE && self.masters.get(master) == Some(&BOND) {
            let why = format!("{master} is a bond, because another interface names it in `bond`");
            refuse(setting, why);
            return None;
        }
        if !self.layers.add(master, &link.name) {
            let why = format!("{master} rests on this link itself, and packets would circle");
            refuse(setting, why);
            return None;
        }
        Some(master)
    }

    /// Adds VLANs on the links of this plan from the index `first`. A VLAN may have VLANs itself. A pattern counts for
    /// hardware: `eth*` matches the name of a VLAN on eth0 too, and VLANs on VLANs would have no end.
    fn add_vlans_from(&mut self, first: usize, network: &Network, existing: &[Link]) {
        let mut next = first;
        while let Some(parent) = self.links.get(next).cloned() {
            self.add_vlans(settings_of_name(network, &parent.name), &parent, existing);
            next += 1;
        }
    }

    fn add_vlans(
        &mut self,
        settings: Option<(&str, &Interface)>,
        parent: &Link,
        existing: &[Link],
    ) {
        let Some((key, interface)) = settings else {
            return;
        };
        let list = interface.vlans.as_deref().unwrap_or_default();
        // The reader of the configuration has reported a wrong list.
        for (id, name) in os_config::parse_vlans(list).unwrap_or_default() {
            let name = name.unwrap_or_else(|| format!("{}.{id}", parent.name));
            let refusal = if name == parent.name {
                Some("a VLAN cannot have the name of its link".to_owned())
            } else if name.len() > LONGEST_NAME {
                Some(format!(
                    "the name {name} is longer than {LONGEST_NAME} characters; give the VLAN another: `{id}:NAME`"
                ))
            } else if self.hardware.contains(&name)
                || self.links.iter().any(|link| link.name == name)
            {
                Some(format!("{name} is the name of another link already"))
            } else {
                None
            };
            if let Some(why) = refusal {
                self.conflicts.push(Conflict::new(key, "vlans", why));
                continue;
            }
            self.layers.add(&name, &parent.name);
            let known = existing.iter().find(|link| link.name == name);
            if known.is_none() {
                let id = id.to_string();
                self.commands
                    .push(ip(&["link", "set", "dev", &parent.name, "up"]));
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
            self.commands.push(ip(&["link", "set", "dev", &name, "up"]));
            self.add_link(&name, known);
        }
    }
}

/// The order of options that others need: the driver takes delays only beside an interval.
const FIRST_OPTIONS: [&str; 2] = ["miimon", "arp_interval"];

/// The commands that make a bridge or bond. Each option of a bond has a command of its own: what the kernel refuses costs
/// itself, as in RancherOS.
fn creation_commands(
    name: &str,
    kind: &str,
    options: Option<&BTreeMap<String, String>>,
) -> Vec<NetworkCommand> {
    let mut creation = ip(&["link", "add", "name", name, "type", kind]);
    let Some(options) = options.filter(|_| kind == "bond") else {
        return vec![creation];
    };
    // The mode decides which other options there are.
    if let Some(mode) = options.get("mode") {
        creation = creation.with(["mode", mode]);
    }
    let is_first = |key: &str| FIRST_OPTIONS.contains(&key);
    let first = FIRST_OPTIONS
        .iter()
        .filter_map(|key| options.get_key_value(*key));
    let others = options
        .iter()
        .filter(|(key, _)| *key != "mode" && !is_first(key));
    let set = |(key, value): (&String, &String)| {
        ip(&["link", "set", "dev", name, "type", "bond", key, value])
    };
    let settings = first.chain(others).map(set);
    [creation].into_iter().chain(settings).collect()
}

#[cfg(test)]
mod tests {
    use super::VirtualLinks;
    use crate::link::Link;
    use os_config::{Interface, Network};

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
        let existing: Vec<Link> = existing
            .iter()
            .map(|&name| {
                let (name, master) = name.split_once('<').unwrap_or((name, ""));
                link(name, Some(master).filter(|master| !master.is_empty()))
            })
            .collect();
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
                i.bond_opts.insert("downdelay".into(), "200".into());
                i.vlans = Some("7,8:eight".into());
            }),
        );
        let hardware = [link("eth0", None), link("eth1", None)];
        assert_eq!(
            lines(&network, &hardware, &["eth0", "eth1"]),
            [
                "ip link add name bond0 type bond mode 1",
                "ip link set dev bond0 type bond miimon 100",
                "ip link set dev bond0 type bond downdelay 200",
                "ip link set dev eth0 down",
                "ip link set dev eth0 master bond0",
                "ip link set dev eth0 up",
                "ip link set dev eth1 down",
                "ip link set dev eth1 master bond0",
                "ip link set dev eth1 up",
                "ip link set dev bond0 up",
                "ip link set dev bond0 up",
                "ip link add link bond0 name bond0.7 type vlan id 7",
                "ip link set dev bond0.7 up",
                "ip link set dev bond0 up",
                "ip link add link bond0 name eight type vlan id 8",
                "ip link set dev eight up",
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
                "ip link set dev bond0 up",
                "ip link set dev bond0.7 up",
                "ip link set dev eight up"
            ]
        );
    }

    #[test]
    fn bridges_without_wrong_lists_of_vlans() {
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
                "ip link add name br0 type bridge",
                "ip link set dev eth0 down",
                "ip link set dev eth0 master br0",
                "ip link set dev eth0 up",
                "ip link set dev br0 up",
            ]
        );
    }

    /// RancherOS's own test has the first document.
    #[test]
    fn links_that_the_plan_makes_join_bridges() {
        let mut network = Network::default();
        let all = &mut network.interfaces;
        all.insert("eth1".into(), interface(|i| i.vlans = Some("100".into())));
        all.insert(
            "eth1.100".into(),
            interface(|i| i.bridge = Some("br0".into())),
        );
        let hardware = [link("eth1", None)];
        assert_eq!(
            lines(&network, &hardware, &["eth1"]),
            [
                "ip link add name br0 type bridge",
                "ip link set dev br0 up",
                "ip link set dev eth1 up",
                "ip link add link eth1 name eth1.100 type vlan id 100",
                "ip link set dev eth1.100 up",
                "ip link set dev eth1.100 down",
                "ip link set dev eth1.100 master br0",
                "ip link set dev eth1.100 up",
            ]
        );
        // A restart leaves members where they are.
        assert_eq!(
            lines(&network, &hardware, &["eth1", "br0", "eth1.100<br0"]),
            ["ip link set dev br0 up", "ip link set dev eth1.100 up"]
        );
        // A bond with a VLAN that has a VLAN; a bond in a bridge; a pattern that matches bridge and VLANs too.
        let all = &mut network.interfaces;
        all.clear();
        all.insert("eth*".into(), interface(|i| i.bond = Some("bond0".into())));
        all.insert(
            "eth1".into(),
            interface(|i| {
                i.bond = Some("bond0".into());
                i.vlans = Some("3".into());
            }),
        );
        all.insert("bond0".into(), interface(|i| i.bridge = Some("br0".into())));
        all.insert("*".into(), interface(|i| i.bridge = Some("br0".into())));
        all.insert("eth1.3".into(), interface(|i| i.vlans = Some("4".into())));
        let found = lines(&network, &hardware, &["eth1"]);
        let joined: Vec<&String> = found
            .iter()
            .filter(|line| line.contains("master"))
            .collect();
        assert_eq!(
            joined,
            [
                "ip link set dev eth1 master bond0",
                "ip link set dev bond0 master br0"
            ]
        );
        assert!(found.contains(&"ip link add link eth1.3 name eth1.3.4 type vlan id 4".to_owned()));
    }
}
