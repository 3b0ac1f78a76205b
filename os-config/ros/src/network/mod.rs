//! `ros netconf`: the network container. Static settings by iproute2, everything else by one dhcpcd that
//! also serves interfaces that appear later.
//!
//! It never touches what containers make: only links that belong to hardware, or that the
//! configuration names, are looked at.

pub(crate) mod address_announcer;
mod links;
mod virtual_links;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use os_config::{Interface, Network};

use crate::network::links::{Link, pattern_of_mac, settings};
use crate::network::virtual_links::VirtualLinks;

const DHCPCD_CONFIG: &str = "/run/ros/dhcpcd.conf";
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Links of containers, bridges and tunnels; dhcpcd would otherwise ask for an address on each.
const NOT_OURS: &str = "veth* docker* br-* virbr* cni* flannel* cali* vxlan* wg* tun* tap* lo";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let config = os_config::load::load(Path::new("/")).config;
    let network = &config.rancher.network;
    let root = Path::new("/");
    let hardware = links::hardware(root);
    let made = VirtualLinks::plan(network, &hardware, &links::all_names(root));
    for problem in &made.problems {
        host::problems::report(&format!("rancher.network.interfaces: {problem}"));
    }
    for command in plan(network, &hardware, &made) {
        if let Err(error) = call(&command) {
            eprintln!("ros netconf: {error:#}");
        }
    }
    if !network.dns.nameservers.is_empty() || !network.dns.search.is_empty() {
        std::fs::write(RESOLV_CONF, resolv_conf(network))
            .with_context(|| format!("writing {RESOLV_CONF}"))?;
    }
    let links: Vec<Link> = hardware.into_iter().chain(made.links).collect();
    let dhcp = dhcp_patterns(network, &links);
    if dhcp.is_empty() {
        return wait_for_the_end();
    }
    std::fs::write(
        DHCPCD_CONFIG,
        dhcpcd_config(network, &dhcp, &without_dhcp(network, &links)),
    )
    .with_context(|| format!("writing {DHCPCD_CONFIG}"))?;
    use std::os::unix::process::CommandExt;
    let error = Command::new("/usr/sbin/dhcpcd")
        .args(["--nobackground", "--config", DHCPCD_CONFIG])
        .exec();
    Err(error).context("starting dhcpcd")
}

/// Everything is static: the container stays, because a service that ends is a service that failed.
fn wait_for_the_end() -> Result<ExitCode> {
    loop {
        std::thread::park();
    }
}

/// The commands for everything static, in order.
fn plan(network: &Network, hardware: &[Link], made: &VirtualLinks) -> Vec<Vec<String>> {
    let mut commands = vec![ip(&["link", "set", "lo", "up"])];
    commands.extend(network.pre_cmds.iter().map(|text| words(text)));
    commands.extend(made.commands.iter().cloned());
    for link in hardware.iter().chain(&made.links) {
        let Some(interface) = settings(network, link) else {
            continue;
        };
        commands.extend(static_commands(interface, &link.name));
    }
    commands.extend(network.post_cmds.iter().map(|text| words(text)));
    commands
}

fn static_commands(interface: &Interface, name: &str) -> Vec<Vec<String>> {
    let hook = |text: &String| words(&text.replace("$iface", name));
    let mut commands: Vec<Vec<String>> = interface.pre_up.iter().map(hook).collect();
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

fn ip(arguments: &[&str]) -> Vec<String> {
    std::iter::once("ip")
        .chain(arguments.iter().copied())
        .map(str::to_owned)
        .collect()
}

fn words(text: &str) -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()]
}

/// Patterns of interfaces that get their address by DHCP; RancherOS's default is every `eth*`.
fn dhcp_patterns(network: &Network, links: &[Link]) -> Vec<String> {
    if network.interfaces.is_empty() {
        return vec!["eth*".to_owned()];
    }
    let asking = network
        .interfaces
        .iter()
        .filter(|(_, interface)| interface.dhcp == Some(true));
    let names = asking.flat_map(|(key, interface)| {
        let name = interface.match_.as_ref().unwrap_or(key);
        match pattern_of_mac(name) {
            // dhcpcd knows names only.
            Some(_) => links
                .iter()
                .filter(|link| settings(network, link) == Some(interface))
                .map(|link| link.name.clone())
                .collect(),
            None => vec![name.clone()],
        }
    });
    names.collect()
}

/// Links that a pattern means as well, but whose own settings say otherwise.
fn without_dhcp(network: &Network, links: &[Link]) -> Vec<String> {
    links
        .iter()
        .filter(|link| settings(network, link).is_some_and(|found| found.dhcp != Some(true)))
        .map(|link| link.name.clone())
        .collect()
}

fn dhcpcd_config(network: &Network, patterns: &[String], without: &[String]) -> String {
    let mut text = format!(
        "# Written by ros netconf at every start.\nclientid\npersistent\noption rapid_commit\n\
         option domain_name_servers, domain_name, domain_search, host_name\noption classless_static_routes\n\
         option interface_mtu\nrequire dhcp_server_identifier\nslaac private\nnohook timesyncd.conf\n\
         noarp\nnodev\nnodelay\ndenyinterfaces {NOT_OURS} {}\nallowinterfaces {}\n",
        without.join(" "),
        patterns.join(" ")
    );
    if let Some(seconds) = network.dhcp_timeout.filter(|seconds| *seconds > 0) {
        text.push_str(&format!("timeout {seconds}\n"));
    }
    if !network.dns.nameservers.is_empty() {
        text.push_str("nohook resolv.conf\n");
    }
    text
}

fn resolv_conf(network: &Network) -> String {
    let mut text = String::new();
    if !network.dns.search.is_empty() {
        text.push_str(&format!("search {}\n", network.dns.search.join(" ")));
    }
    for server in &network.dns.nameservers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    text
}

fn call(argv: &[String]) -> Result<()> {
    let (program, arguments) = argv.split_first().context("the command is empty")?;
    let status = Command::new(program)
        .args(arguments)
        .status()
        .with_context(|| format!("starting {program}"))?;
    anyhow::ensure!(status.success(), "{} ended with {status}", argv.join(" "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{dhcp_patterns, plan, without_dhcp};
    use crate::network::links::Link;
    use crate::network::virtual_links::VirtualLinks;
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
            .map(|c| c.join(" "))
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
        assert!(dhcp_patterns(&network, &links).is_empty());
        assert_eq!(dhcp_patterns(&Network::default(), &links), ["eth*"]);
    }

    #[test]
    fn a_link_with_settings_of_its_own_is_none_of_the_pattern() {
        let with_dhcp = |dhcp| Interface {
            dhcp: Some(dhcp),
            ..Interface::default()
        };
        let mut network = Network::default();
        let all = &mut network.interfaces;
        all.insert("eth*".into(), with_dhcp(true));
        all.insert("mac:00:00:00:00:00:01".into(), with_dhcp(false));
        let links = [
            link("eth0", "00:00:00:00:00:01"),
            link("eth1", "00:00:00:00:00:02"),
        ];
        assert_eq!(dhcp_patterns(&network, &links), ["eth*"]);
        assert_eq!(without_dhcp(&network, &links), ["eth0"]);
        network.interfaces.clear();
        let wanted = Interface {
            dhcp_args: Some("x".into()),
            ..with_dhcp(true)
        };
        network
            .interfaces
            .insert("mac=00:00:00:00:00:*".into(), wanted);
        assert_eq!(dhcp_patterns(&network, &links), ["eth0", "eth1"]);
    }
}
