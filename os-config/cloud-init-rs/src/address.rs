//! Addresses as data sources write them.

use std::net::{IpAddr, Ipv4Addr};

/// The addresses of the machine without prefix lengths, for `$private_ipv4` and the like in cloud-configs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    pub public_ipv4: Option<String>,
    pub private_ipv4: Option<String>,
    pub public_ipv6: Option<String>,
    pub private_ipv6: Option<String>,
}

/// Whether everybody between the machine and the server of an address can change what it answers: all but https, and a
/// cloud's own service, which no router leads to.
pub fn is_open_to_change(address: &str) -> bool {
    let is_link_local = match host(address).parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_unicast_link_local(),
        Err(_) => false,
    };
    !address.starts_with("https://") && !is_link_local
}

/// The server of an address with a scheme, without its port and without a login.
pub fn host(address: &str) -> &str {
    let (_, rest) = address.split_once("://").unwrap_or(("", address));
    let server = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let server = server.rsplit('@').next().unwrap_or(server);
    match server
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((address, _)) => address,
        None => server.split_once(':').map_or(server, |(host, _)| host),
    }
}

/// `10.0.0.5` and `255.255.255.0` (or `24`) as `10.0.0.5/24`; `None` if either
/// is invalid.
pub(crate) fn cidr(address: &str, mask: &str) -> Option<String> {
    let ip: IpAddr = address.trim().parse().ok()?;
    let length = prefix_length(mask.trim())?;
    let longest = if ip.is_ipv4() { 32 } else { 128 };
    (length <= longest).then(|| format!("{ip}/{length}"))
}

/// The length of a prefix that is given as a number or as a mask of ones.
fn prefix_length(mask: &str) -> Option<u32> {
    if let Ok(length) = mask.parse() {
        return Some(length);
    }
    let (ones, length) = match mask.parse().ok()? {
        IpAddr::V4(mask) => (
            u128::from(u32::from(mask)) << 96,
            u32::from(mask).count_ones(),
        ),
        IpAddr::V6(mask) => (u128::from(mask), u128::from(mask).count_ones()),
    };
    (ones.leading_ones() == length).then_some(length)
}

/// Whether a text is an address with or without a prefix length.
pub(crate) fn is_cidr(text: &str) -> bool {
    match text.split_once('/') {
        Some((address, length)) => cidr(address, length).is_some(),
        None => text.parse::<IpAddr>().is_ok(),
    }
}

/// Whether the network of an address with its prefix length contains another address.
pub(crate) fn contains(network: &str, address: IpAddr) -> bool {
    let Some((own, length)) = network.split_once('/') else {
        return false;
    };
    let Ok(length) = length.parse::<u32>() else {
        return false;
    };
    match (own.parse(), address) {
        (Ok(IpAddr::V4(own)), IpAddr::V4(address)) => {
            let differing = u32::from(own) ^ u32::from(address);
            differing.leading_zeros() >= length
        }
        (Ok(IpAddr::V6(own)), IpAddr::V6(address)) => {
            let differing = u128::from(own) ^ u128::from(address);
            differing.leading_zeros() >= length
        }
        _ => false,
    }
}

/// Whether an IPv4 address cannot be reached from the internet: private, shared or link-local.
pub(crate) fn is_private(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private() || address.is_link_local() || (first == 100 && (64..128).contains(&second))
}

impl Addresses {
    /// Adds an address unless an earlier address has the same kind.
    pub(crate) fn add(&mut self, text: &str) {
        let bare = text.split('/').next().unwrap_or(text);
        let slot = match bare.parse() {
            Ok(IpAddr::V4(ip)) if is_private(ip) => &mut self.private_ipv4,
            Ok(IpAddr::V4(_)) => &mut self.public_ipv4,
            Ok(IpAddr::V6(ip)) if ip.is_unique_local() || ip.is_unicast_link_local() => {
                &mut self.private_ipv6
            }
            Ok(IpAddr::V6(_)) => &mut self.public_ipv6,
            Err(_) => return,
        };
        slot.get_or_insert_with(|| bare.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::{Addresses, cidr, contains, host, is_cidr, is_open_to_change};

    #[test]
    fn plain_addresses_are_open_to_change() {
        for (address, server, expected) in [
            ("https://h/a", "h", false),
            ("http://h/a", "h", true),
            ("http://name:word@h:8080/a", "h", true),
            ("http://h?a=@b", "h", true),
            ("tftp://h/a", "h", true),
            ("h/a", "h", true),
            ("http://169.254.169.254/a", "169.254.169.254", false),
            ("http://[fe80::1]:80/a", "fe80::1", false),
            ("http://[fd00::1]/a", "fd00::1", true),
            ("http://169.254.169.254@h/a", "h", true),
        ] {
            assert_eq!(host(address), server, "{address}");
            assert_eq!(is_open_to_change(address), expected, "{address}");
        }
    }

    #[test]
    fn addresses_in_a_network() {
        for (network, address, expected) in [
            ("10.0.0.5/24", "10.0.0.1", true),
            ("10.0.0.5/24", "10.0.1.1", false),
            ("10.0.0.5/32", "10.0.0.1", false),
            ("10.0.0.5/31", "10.0.0.4", true),
            ("10.0.0.5/0", "192.168.0.1", true),
            ("fd00::5/64", "fd00::1", true),
            ("fd00::5/64", "fd01::1", false),
            ("10.0.0.5/24", "fd01::1", false),
            ("10.0.0.5", "10.0.0.1", false),
        ] {
            let found = contains(network, address.parse().unwrap());
            assert_eq!(found, expected, "{network} {address}");
        }
    }

    #[test]
    fn masks_and_lengths() {
        for (address, mask, expected) in [
            ("10.0.0.5", "255.255.255.0", Some("10.0.0.5/24")),
            ("10.0.0.5", "24", Some("10.0.0.5/24")),
            ("fe00::", "126", Some("fe00::/126")),
            ("fe80::1", "ffff:ffff:ffff:ffff::", Some("fe80::1/64")),
            ("10.0.0.5", "0.0.0.0", Some("10.0.0.5/0")),
            ("10.0.0.5", "255.0.255.0", None),
            ("10.0.0.5", "33", None),
            ("x", "24", None),
            ("10.0.0.5", "", None),
        ] {
            assert_eq!(cidr(address, mask).as_deref(), expected, "{address} {mask}");
        }
        assert!(is_cidr("10.0.0.1") && is_cidr("fd00::1/64"));
        assert!(!is_cidr("10.0.0.1/64") && !is_cidr("ten") && !is_cidr("1.2.3.4; reboot"));
    }

    #[test]
    fn the_first_of_a_kind_counts() {
        let mut addresses = Addresses::default();
        for text in [
            "10.0.0.1/8",
            "10.0.0.2",
            "100.64.0.1",
            "5.6.7.8",
            "fd00::1/64",
            "2001:db8::1",
            "nonsense",
        ] {
            addresses.add(text);
        }
        assert_eq!(
            addresses,
            Addresses {
                public_ipv4: Some("5.6.7.8".into()),
                private_ipv4: Some("10.0.0.1".into()),
                public_ipv6: Some("2001:db8::1".into()),
                private_ipv6: Some("fd00::1".into()),
            }
        );
    }
}
