//! `ros netconf`: the network container. Static settings by iproute2, everything else by one dhcpcd that
//! also serves interfaces that appear later.
//!
//! It never touches what containers make: only links that belong to hardware, or that the
//! configuration names, are looked at.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use os_config::{Interface, Network};

const DHCPCD_CONFIG: &str = "/run/ros/dhcpcd.conf";
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Links of containers, bridges and tunnels; dhcpcd would otherwise ask for an address on each.
const NOT_OURS: &str = "veth* docker* br-* virbr* cni* flannel* cali* vxlan* wg* tun* tap* lo";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let config = os_config::load::load(Path::new("/")).config;
    let network = &config.rancher.network;
    let links = hardware_links(Path::new("/"));
    for command in plan(network, &links) {
        if let Err(error) = call(&command) {
            eprintln!("ros netconf: {error:#}");
        }
    }
    if !network.dns.nameservers.is_empty() || !network.dns.search.is_empty() {
        std::fs::write(RESOLV_CONF, resolv_conf(network))
            .with_context(|| format!("writing {RESOLV_CONF}"))?;
    }
    let dhcp = dhcp_patterns(network);
    if dhcp.is_empty() {
        return wait_for_the_end();
    }
    std::fs::write(DHCPCD_CONFIG, dhcpcd_config(network, &dhcp))
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

/// A link and its hardware address.
#[derive(Debug)]
struct Link {
    name: String,
    mac: String,
}

fn hardware_links(root: &Path) -> Vec<Link> {
    let folder = root.join("sys/class/net");
    let mut links: Vec<Link> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("device").exists())
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let mac = std::fs::read_to_string(entry.path().join("address")).unwrap_or_default();
            Some(Link {
                name,
                mac: mac.trim().to_owned(),
            })
        })
        .collect();
    links.sort_by(|a, b| a.name.cmp(&b.name));
    links
}

/// The settings for a link: by hardware address, else by its exact name, else by the longest pattern.
fn settings<'a>(network: &'a Network, link: &Link) -> Option<&'a Interface> {
    let by_rank = |(key, interface): (&'a String, &'a Interface)| {
        let name = interface.match_.as_deref().unwrap_or(key);
        let rank = if let Some(mac) = name.strip_prefix("mac") {
            glob(
                &mac.get(1..)?.to_ascii_lowercase(),
                &link.mac.to_ascii_lowercase(),
            )
            .then_some((3, 0))?
        } else if name == link.name {
            (2, 0)
        } else {
            glob(name, &link.name).then_some((1, name.len()))?
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

/// `*` and `?`, as interface patterns have them.
fn glob(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => {
            let rest = &pattern[1..];
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

/// The commands for everything static, in order.
fn plan(network: &Network, links: &[Link]) -> Vec<Vec<String>> {
    let mut commands = vec![ip(&["link", "set", "lo", "up"])];
    commands.extend(network.pre_cmds.iter().map(|text| words(text)));
    for link in links {
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
fn dhcp_patterns(network: &Network) -> Vec<String> {
    if network.interfaces.is_empty() {
        return vec!["eth*".to_owned()];
    }
    network
        .interfaces
        .iter()
        .filter(|(_, interface)| interface.dhcp == Some(true))
        .map(|(key, interface)| interface.match_.clone().unwrap_or_else(|| key.clone()))
        .flat_map(|name| match name.strip_prefix("mac") {
            Some(mac) => {
                let mac = mac.get(1..).unwrap_or_default().to_ascii_lowercase();
                hardware_links(Path::new("/"))
                    .into_iter()
                    .filter(|link| glob(&mac, &link.mac.to_ascii_lowercase()))
                    .map(|link| link.name)
                    .collect()
            }
            None => vec![name],
        })
        .collect()
}

fn dhcpcd_config(network: &Network, patterns: &[String]) -> String {
    let mut text = format!(
        "# Written by ros netconf at every start.\nclientid\npersistent\noption rapid_commit\n\
         option domain_name_servers, domain_name, domain_search, host_name\noption classless_static_routes\n\
         option interface_mtu\nrequire dhcp_server_identifier\nslaac private\nnohook timesyncd.conf\n\
         noarp\nnodev\nnodelay\ndenyinterfaces {NOT_OURS}\nallowinterfaces {}\n",
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
    use super::{Link, dhcp_patterns, glob, plan, settings};
    use os_config::{Interface, Network};

    fn link(name: &str) -> Link {
        Link {
            name: name.into(),
            mac: "52:54:00:12:34:56".into(),
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("eth*", "eth0", true),
            ("eth*", "wlan0", false),
            ("*", "", true),
            ("e?h0", "eth0", true),
            ("52:54:*:56", "52:54:00:12:34:56", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn hardware_address_beats_name_beats_pattern() {
        let mut network = Network::default();
        let with_mtu = |mtu| Interface {
            mtu: Some(mtu),
            ..Interface::default()
        };
        network.interfaces.insert("*".into(), with_mtu(1));
        network.interfaces.insert("eth*".into(), with_mtu(2));
        assert_eq!(settings(&network, &link("eth0")).unwrap().mtu, Some(2));
        network.interfaces.insert("eth0".into(), with_mtu(3));
        assert_eq!(settings(&network, &link("eth0")).unwrap().mtu, Some(3));
        network
            .interfaces
            .insert("mac:52:54:00:12:34:56".into(), with_mtu(4));
        assert_eq!(settings(&network, &link("eth0")).unwrap().mtu, Some(4));
        assert_eq!(settings(&network, &link("wlan0")).unwrap().mtu, Some(4));
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
        let lines: Vec<String> = plan(&network, &[link("eth0"), link("eth1")])
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
        assert!(dhcp_patterns(&network).is_empty());
        assert_eq!(dhcp_patterns(&Network::default()), ["eth*"]);
    }
}
