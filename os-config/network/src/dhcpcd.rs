//! dhcpcd.conf: a single dhcpcd serves every interface with DHCP, also interfaces that appear later.

use os_config::Network;
use os_config::shell_pattern::matches;

use crate::container_links::patterns_without_dhcp;
use crate::link::Link;
use crate::pattern::mac_pattern;
use crate::settings::settings;

/// The text of dhcpcd.conf; `None` if no interface gets its address by DHCP.
pub fn config(network: &Network, links: &[Link]) -> Option<String> {
    let patterns = dhcp_patterns(network, links);
    let denied = denied_patterns(network, links, &patterns);
    (!patterns.is_empty()).then(|| config_text(network, &patterns, &denied))
}

/// The links among `links` that get their address by DHCP.
pub fn links<'a>(network: &Network, links: &'a [Link]) -> Vec<&'a Link> {
    let patterns = dhcp_patterns(network, links);
    let denied = denied_patterns(network, links, &patterns);
    let is_among = |patterns: &[String], link: &Link| {
        let mut all = patterns.iter();
        all.any(|pattern| matches(pattern, &link.name))
    };
    let asks = |link: &&Link| is_among(&patterns, link) && !is_among(&denied, link);
    links.iter().filter(asks).collect()
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
        match mac_pattern(name) {
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

/// Patterns of links that never ask, although one of `asking` matches them.
fn denied_patterns(network: &Network, links: &[Link], asking: &[String]) -> Vec<String> {
    let mut denied = patterns_without_dhcp(asking);
    denied.extend(links_without_dhcp(network, links));
    denied
}

/// Links that a pattern matches as well, but whose own settings do not ask for DHCP.
fn links_without_dhcp(network: &Network, links: &[Link]) -> Vec<String> {
    links
        .iter()
        .filter(|link| settings(network, link).is_some_and(|found| found.dhcp != Some(true)))
        .map(|link| link.name.clone())
        .collect()
}

fn config_text(network: &Network, patterns: &[String], denied: &[String]) -> String {
    let mut text = format!(
        "# Written by ros netconf at every start.\nclientid\npersistent\noption rapid_commit\n\
         option domain_name_servers, domain_name, domain_search, host_name, ntp_servers\noption classless_static_routes\n\
         option interface_mtu\nrequire dhcp_server_identifier\nslaac private\nnohook timesyncd.conf\n\
         noarp\nnodev\nnodelay\ndenyinterfaces {}\nallowinterfaces {}\n",
        denied.join(" "),
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

#[cfg(test)]
mod tests {
    use super::{dhcp_patterns, links_without_dhcp};
    use crate::link::{Link, test_link as link};
    use os_config::shell_pattern::matches;
    use os_config::{Interface, Network};

    #[test]
    fn dhcp_is_the_default_of_eth_only_where_no_interface_is_configured() {
        let mut network = Network::default();
        let interface = Interface {
            address: Some("10.1.0.2/24".into()),
            ..Interface::default()
        };
        network.interfaces.insert("eth0".into(), interface);
        let links = [link("eth0", "a"), link("eth1", "b")];
        assert!(dhcp_patterns(&network, &links).is_empty());
        assert_eq!(dhcp_patterns(&Network::default(), &links), ["eth*"]);
    }

    #[test]
    fn both_protocols_are_asked_for_addresses_and_the_mtu_is_taken() {
        let text = super::config(&Network::default(), &[]).unwrap();
        let words: Vec<&str> = text.split_whitespace().collect();
        for off in [
            "ipv4only", "ipv6only", "noipv4", "noipv6", "noipv6rs", "nodhcp6",
        ] {
            assert!(!words.contains(&off), "{off}");
        }
        assert!(text.contains("option interface_mtu\n"));
    }

    #[test]
    fn a_bridge_that_a_key_names_asks_and_bridges_of_docker_do_not() {
        let mut network = Network::default();
        let with_dhcp = Interface {
            dhcp: Some(true),
            ..Interface::default()
        };
        for key in ["*", "br-lan"] {
            network.interfaces.insert(key.into(), with_dhcp.clone());
        }
        let links = ["eth0", "br-lan", "br-0123456789ab"].map(|name| link(name, ""));
        let text = super::config(&network, &links).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("denyinterfaces "));
        let denied: Vec<&str> = line.unwrap().split(' ').collect();
        let is_free = |link: &&Link| denied.iter().all(|pattern| !matches(pattern, &link.name));
        let free: Vec<&str> = links
            .iter()
            .filter(is_free)
            .map(|link| link.name.as_str())
            .collect();
        assert_eq!(free, ["eth0", "br-lan"], "{line:?}");
        let asking = super::links(&network, &links);
        assert_eq!(
            asking.iter().map(|link| &link.name).collect::<Vec<_>>(),
            free
        );
    }

    #[test]
    fn a_link_with_its_own_settings_is_excluded_from_the_pattern() {
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
        assert_eq!(links_without_dhcp(&network, &links), ["eth0"]);
        let asking = super::links(&network, &links);
        assert_eq!(asking.len(), 1);
        assert_eq!(asking[0].name, "eth1");
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
