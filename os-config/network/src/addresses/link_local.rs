//! Addresses of a link alone (RFC 3927), from the hardware address: the same after every boot.

use crate::link::Link;

/// The address of a link with its prefix. A link without hardware takes the address of the machine's first hardware, and
/// its own name, so that two machines differ. Nobody asks whether another machine has the address.
pub(crate) fn address(link: &Link, hardware: &[Link]) -> String {
    // The first and the last 256 addresses are reserved.
    const COUNT: u32 = 254 * 256;
    let seed = if link.mac.is_empty() {
        let first = hardware.first().map_or("", |link| link.mac.as_str());
        format!("{first} {}", link.name)
    } else {
        link.mac.to_ascii_lowercase()
    };
    // FNV-1a spreads similar hardware addresses.
    let hash = seed.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let number = hash % COUNT;
    format!("169.254.{}.{}/16", 1 + number / 256, number % 256)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::address;
    use crate::link::{Link, test_link as link};

    #[test]
    fn similar_links_have_addresses_of_their_own_that_stay() {
        let hardware: Vec<Link> = (0..200)
            .map(|number| link("eth0", &format!("52:54:00:12:34:{number:02x}")))
            .collect();
        let mut found: BTreeSet<String> = hardware.iter().map(|link| address(link, &[])).collect();
        let bridge = link("br0", "");
        found.insert(address(&bridge, &hardware));
        found.insert(address(&bridge, &hardware[1..]));
        assert_eq!(found.len(), 202);
        for text in &found {
            let numbers: Vec<u32> = text
                .trim_end_matches("/16")
                .split('.')
                .map(|number| number.parse().unwrap())
                .collect();
            let is_usable = numbers[..2] == [169, 254] && (1..=254).contains(&numbers[2]);
            assert!(is_usable, "{text}");
        }
        let upper = link("eth1", "52:54:00:AA:00:01");
        let lower = link("eth0", "52:54:00:aa:00:01");
        assert_eq!(address(&upper, &hardware), address(&lower, &[]));
    }
}
