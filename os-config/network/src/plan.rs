//! The commands that bring the machine's links to their settings.

use os_config::{Interface, Network};

use crate::command::{NetworkCommand, ip, shell};
use crate::link::Link;
use crate::settings::settings;
use crate::virtual_links::VirtualLinks;

/// The commands for all settings but DHCP, in order.
pub fn plan(
    network: &Network,
    hardware: &[Link],
    virtual_links: &VirtualLinks,
) -> Vec<NetworkCommand> {
    let mut commands = vec![ip(&["link", "set", "lo", "up"])];
    commands.extend(network.pre_cmds.iter().map(|line| shell(line)));
    commands.extend(virtual_links.commands.iter().cloned());
    for link in hardware.iter().chain(&virtual_links.links) {
        let Some(interface) = settings(network, link) else {
            continue;
        };
        commands.extend(static_commands(interface, &link.name));
    }
    commands.extend(network.post_cmds.iter().map(|line| shell(line)));
    commands
}

fn static_commands(interface: &Interface, name: &str) -> Vec<NetworkCommand> {
    let hook = |text: &String| shell(&text.replace("$iface", name));
    let mut commands: Vec<NetworkCommand> = interface.pre_up.iter().map(hook).collect();
    if let Some(mtu) = interface.mtu.filter(|mtu| *mtu > 0) {
        commands.push(ip(&["link", "set", name, "mtu", &mtu.to_string()]));
    }
    let addresses: Vec<&String> = interface
        .address
        .iter()
        .chain(&interface.addresses)
        .collect();
    if !addresses.is_empty() {
        commands.push(ip(&["link", "set", name, "up"]));
    }
    for address in addresses {
        commands.push(ip(&["addr", "replace", address, "dev", name]));
    }
    if let Some(gateway) = &interface.gateway {
        commands.push(ip(&[
            "route", "replace", "default", "via", gateway, "dev", name,
        ]));
    }
    if let Some(gateway) = &interface.gateway_ipv6 {
        commands.push(ip(&[
            "-6", "route", "replace", "default", "via", gateway, "dev", name,
        ]));
    }
    commands.extend(interface.post_up.iter().map(hook));
    commands
}

#[cfg(test)]
mod tests {
    use super::plan;
    use crate::link::Link;
    use crate::virtual_links::VirtualLinks;
    use os_config::{Interface, Network};

    fn link(name: &str, mac: &str) -> Link {
        Link {
            name: name.into(),
            mac: mac.into(),
            master: None,
        }
    }

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
                "ip link set lo up",
                "ip link set eth0 up",
                "ip addr replace 10.1.0.2/24 dev eth0",
                "ip route replace default via 10.1.0.1 dev eth0",
                "/bin/sh -c echo eth0",
            ]
        );
    }
}
