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
