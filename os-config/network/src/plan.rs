//! The commands that bring the machine's links to their settings.

use os_config::{Interface, Network};

use crate::addresses::gateways::{Gateways, gateways_of};
use crate::addresses::link_local;
use crate::command::{NetworkCommand, hooks, ip, shells};
use crate::link::Link;
use crate::settings::settings;
use crate::virtual_links::VirtualLinks;

/// The commands before the machine's links are listed: `pre_cmds` may make links, or load the drivers of links.
pub fn pre_commands(network: &Network) -> Vec<NetworkCommand> {
    let loopback = ip(&["link", "set", "dev", "lo", "up"]);
    let own = shells(&network.pre_cmds, "rancher.network.pre_cmds");
    [loopback].into_iter().chain(own).collect()
}

/// The commands for all settings but DHCP, in order: the links that the plan makes, then each link with its `pre_up`,
/// addresses, routes and `post_up`. The `pre_up` of a member stands before its bond or bridge takes it.
/// [`post_commands`] follow when DHCP has answered.
pub fn plan(
    network: &Network,
    hardware: &[Link],
    virtual_links: &VirtualLinks,
) -> Vec<NetworkCommand> {
    let mut commands = virtual_links.commands.clone();
    let links: Vec<(&Link, &Interface)> = hardware
        .iter()
        .chain(&virtual_links.links)
        .filter_map(|link| Some((link, settings(network, link)?)))
        .collect();
    let names: Vec<(&str, &Interface)> = links
        .iter()
        .map(|(link, interface)| (link.name.as_str(), *interface))
        .collect();
    let gateways = Gateways::new(&names);
    for (link, interface) in links {
        let place = Place {
            name: &link.name,
            is_member: virtual_links.members.contains(&link.name),
            link_local: (interface.ipv4ll == Some(true))
                .then(|| link_local::address(link, hardware)),
        };
        commands.extend(link_commands(&place, interface, &gateways));
    }
    commands
}

/// The commands of `post_cmds`, for a network that is complete.
pub fn post_commands(network: &Network) -> Vec<NetworkCommand> {
    shells(&network.post_cmds, "rancher.network.post_cmds").collect()
}

/// A link in the plan.
struct Place<'a> {
    name: &'a str,
    /// Whether a bond or bridge consists of it.
    is_member: bool,
    /// The address for the link alone, if its settings ask for it.
    link_local: Option<String>,
}

fn link_commands(
    place: &Place<'_>,
    interface: &Interface,
    gateways: &Gateways<'_>,
) -> Vec<NetworkCommand> {
    let Place {
        name,
        is_member,
        link_local,
    } = place;
    let (name, is_member) = (*name, *is_member);
    let mut commands = Vec::new();
    if !is_member {
        commands.extend(hooks(&interface.pre_up, "pre_up", name));
    }
    if let Some(mtu) = interface.mtu.filter(|mtu| *mtu > 0) {
        commands.push(ip(&["link", "set", "dev", name, "mtu", &mtu.to_string()]));
    }
    let addresses: Vec<&String> = interface
        .address
        .iter()
        .chain(&interface.addresses)
        .collect();
    // A route needs a link that is up.
    let has_routes = !gateways_of(interface).is_empty() || !interface.post_up.is_empty();
    // A member is up with its bond. dhcpcd sets up its own links, once the kernel gives them no addresses of IPv6.
    let is_up_otherwise = is_member || interface.dhcp == Some(true);
    if !addresses.is_empty() || link_local.is_some() || has_routes || !is_up_otherwise {
        commands.push(ip(&["link", "set", "dev", name, "up"]));
    }
    for address in addresses {
        commands.push(ip(&["addr", "replace", address, "dev", name]));
    }
    if let Some(address) = link_local {
        commands.push(ip(&[
            "addr", "replace", address, "dev", name, "scope", "link",
        ]));
    }
    commands.extend(gateways.commands(name, interface));
    commands.extend(hooks(&interface.post_up, "post_up", name));
    commands
}

#[cfg(test)]
mod tests {
    use super::{plan, post_commands, pre_commands};
    use crate::link::{Link, test_link as link};
    use crate::virtual_links::VirtualLinks;
    use os_config::{Interface, Network};

    #[test]
    fn static_addresses_become_commands() {
        let mut network = Network::default();
        let interface = Interface {
            address: Some("10.1.0.2/24".into()),
            gateway: Some("10.1.0.1".into()),
            post_up: vec!["echo $iface".into()],
            ..Interface::default()
        };
        network.interfaces.insert("eth0".into(), interface);
        let links = [link("eth0", "a"), link("eth1", "b")];
        let lines: Vec<String> = plan(&network, &links, &VirtualLinks::default())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "ip link set dev eth0 up",
                "ip addr replace 10.1.0.2/24 dev eth0",
                "ip route replace default via 10.1.0.1 dev eth0",
                "/bin/sh -c echo eth0",
            ]
        );
    }

    /// The commands for interfaces, each with its addresses and its gateways.
    fn lines(interfaces: &[(&str, &[&str], &[&str])]) -> Vec<String> {
        let mut network = Network::default();
        for (name, addresses, gateways) in interfaces {
            let owned = |text: &&str| (*text).to_owned();
            let interface = Interface {
                addresses: addresses.iter().map(owned).collect(),
                gateway: gateways.first().map(owned),
                gateway_ipv6: gateways.get(1).map(owned),
                ..Interface::default()
            };
            network.interfaces.insert((*name).to_owned(), interface);
        }
        let links: Vec<Link> = interfaces.iter().map(|(name, ..)| link(name, "")).collect();
        let commands = plan(&network, &links, &VirtualLinks::default());
        let routes = commands.iter().map(ToString::to_string);
        routes.filter(|line| line.contains("route")).collect()
    }

    #[test]
    fn the_first_gateway_by_name_is_the_default_route() {
        let found = lines(&[
            (
                "eth2",
                &["10.31.168.85/24", "fd02::5/64"],
                &["10.31.168.1", "fd02::1"],
            ),
            (
                "eth1",
                &["10.1.0.41/24", "fd01::5/64"],
                &["10.1.0.1", "fd01::1"],
            ),
        ]);
        assert_eq!(
            found,
            [
                "ip route replace default via 10.31.168.1 dev eth2 metric 1",
                "ip -6 route replace default via fd02::1 dev eth2 metric 2",
                "ip route replace default via 10.1.0.1 dev eth1",
                "ip -6 route replace default via fd01::1 dev eth1 metric 1",
            ]
        );
    }

    #[test]
    fn a_gateway_outside_the_networks_of_its_link_is_on_the_link() {
        let found = lines(&[(
            "eth0",
            &["51.0.2.9/32", "2001:db8::5/128"],
            &["195.0.2.1", "fe80::1"],
        )]);
        assert_eq!(
            found,
            [
                "ip route replace default via 195.0.2.1 dev eth0 onlink",
                "ip -6 route replace default via fe80::1 dev eth0 metric 1",
            ]
        );
        // DHCP's address comes later, and one gateway of IPv6 stands at either key.
        let found = lines(&[
            ("eth0", &[], &["10.0.0.1"]),
            ("eth1", &["fd00::5/64"], &["fd00::1"]),
        ]);
        assert_eq!(
            found,
            [
                "ip route replace default via 10.0.0.1 dev eth0 onlink",
                "ip -6 route replace default via fd00::1 dev eth1 metric 1",
            ]
        );
    }

    #[test]
    fn commands_of_the_user_have_their_order_and_their_keys() {
        let mut network = Network {
            pre_cmds: vec!["first".into()],
            post_cmds: vec!["last".into()],
            ..Network::default()
        };
        let interface = Interface {
            dhcp: Some(true),
            pre_up: vec!["before $iface".into()],
            post_up: vec!["after $iface".into()],
            ..Interface::default()
        };
        network.interfaces.insert("eth0".into(), interface);
        let commands = plan(&network, &[link("eth0", "")], &VirtualLinks::default());
        let commands = pre_commands(&network)
            .iter()
            .chain(&commands)
            .chain(&post_commands(&network))
            .map(|command| {
                let origin = command.origin().unwrap_or_default();
                format!("{command} | {origin}")
            })
            .collect::<Vec<_>>();
        assert_eq!(
            commands,
            [
                "ip link set dev lo up | ",
                "/bin/sh -c first | rancher.network.pre_cmds[0]",
                "/bin/sh -c before eth0 | rancher.network.interfaces: eth0: pre_up[0]",
                "ip link set dev eth0 up | ",
                "/bin/sh -c after eth0 | rancher.network.interfaces: eth0: post_up[0]",
                "/bin/sh -c last | rancher.network.post_cmds[0]",
            ]
        );
    }
}
