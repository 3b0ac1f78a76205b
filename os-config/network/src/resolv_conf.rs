//! resolv.conf, written from the name servers and the search domains of the configuration.

use os_config::Network;

/// The text of resolv.conf; `None` if the configuration says nothing about DNS.
pub fn text(network: &Network) -> Option<String> {
    if network.dns.nameservers.is_empty() && network.dns.search.is_empty() {
        return None;
    }
    let mut text = String::new();
    if !network.dns.search.is_empty() {
        text.push_str(&format!("search {}\n", network.dns.search.join(" ")));
    }
    for server in &network.dns.nameservers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    Some(text)
}

/// The lines behind DHCP's, for dhcpcd's hook: of two search lists the last one counts. Empty if DHCP's own list is to
/// count.
pub fn text_behind_dhcp(network: &Network) -> String {
    match network.dns.search.as_slice() {
        [] => String::new(),
        domains => format!("search {}\n", domains.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{text, text_behind_dhcp};
    use os_config::Network;

    #[test]
    fn servers_and_domains_of_the_configuration() {
        let mut network = Network::default();
        assert_eq!(
            (text(&network), text_behind_dhcp(&network)),
            (None, String::new())
        );
        network.dns.search = vec!["example.com".into(), "lan".into()];
        assert_eq!(text_behind_dhcp(&network), "search example.com lan\n");
        network.dns.nameservers = vec!["1.1.1.1".into()];
        assert_eq!(
            text(&network).as_deref(),
            Some("search example.com lan\nnameserver 1.1.1.1\n")
        );
    }
}
