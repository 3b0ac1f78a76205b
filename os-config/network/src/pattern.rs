//! Patterns in the names of interfaces.

/// The pattern of a hardware address in a name: `mac:…` or `mac=…`. `machine0` is the name of a link.
pub(crate) fn mac_pattern(name: &str) -> Option<&str> {
    name.strip_prefix("mac:")
        .or_else(|| name.strip_prefix("mac="))
}

/// A hardware address without separators, in lower case: `5254.0012.3456` and `52-54-00-12-34-56` are the same
/// address.
pub(crate) fn plain_mac(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_hexdigit() || matches!(c, '*' | '?'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use os_config::shell_pattern::matches;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("eth*", "eth0", true),
            ("eth*", "wlan0", false),
            ("*", "", true),
            ("e?h0", "eth0", true),
            ("52:54:*:56", "52:54:00:12:34:56", true),
            ("eth1", "eth10", false),
            ("*e*e*e*e*e*e*e*e*e*e*e*e*e*e*ex", "eeeeeeeeeeeeeee", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "NM-16 {pattern} {text}");
        }
    }
}
