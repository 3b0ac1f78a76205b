//! Links of containers and tunnels: dhcpcd would ask for an address on each that a broad pattern such as `*` matches.

use std::collections::BTreeSet;

/// The beginnings of their names.
const PREFIXES: [&str; 11] = [
    "veth", "docker", "br-", "virbr", "cni", "flannel", "cali", "vxlan", "wg", "tun", "tap",
];

/// Patterns of the links that never ask DHCP. A name or pattern among `asking` that is narrower than a pattern here is
/// meant for such a link: `br-lan` asks, and Docker's bridges beside it do not.
pub(crate) fn patterns_without_dhcp(asking: &[String]) -> Vec<String> {
    let mut patterns = Vec::new();
    for prefix in PREFIXES {
        let rests = asking.iter().filter_map(|name| name.strip_prefix(prefix));
        add_all_but(prefix, &rests.collect::<Vec<_>>(), &mut patterns);
    }
    patterns.push("lo".to_owned());
    patterns
}

/// Adds patterns of all names that begin with `prefix`, except the names that go on with one of `rests`. dhcpcd knows no
/// exception from a pattern.
fn add_all_but(prefix: &str, rests: &[&str], patterns: &mut Vec<String>) {
    if rests.is_empty() {
        patterns.push(format!("{prefix}*"));
        return;
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let next: BTreeSet<char> = rests
        .iter()
        .filter_map(|rest| rest.chars().next())
        .collect();
    // From a wildcard on, the user's pattern decides.
    if !next.iter().all(|c| is_plain(*c)) {
        return;
    }
    if !rests.contains(&"") {
        patterns.push(prefix.to_owned());
    }
    patterns.push(match next.is_empty() {
        true => format!("{prefix}?*"),
        // The hyphen comes first, where it stands for itself.
        false => format!("{prefix}[!{}]*", next.iter().collect::<String>()),
    });
    for c in next {
        let rests: Vec<&str> = rests
            .iter()
            .filter_map(|rest| rest.strip_prefix(c))
            .collect();
        add_all_but(&format!("{prefix}{c}"), &rests, patterns);
    }
}

#[cfg(test)]
mod tests {
    use super::patterns_without_dhcp;
    use os_config::shell_pattern::matches;

    #[test]
    fn links_of_containers_ask_where_a_key_names_them() {
        const NONE: &[&str] = &[
            "br-", "br-lan", "br-l", "br-lan2", "br-wan", "docker0", "tap0", "lo",
        ];
        for (asking, denied) in [
            (&["*", "eth*"][..], NONE),
            (&["b*"], NONE),
            (
                &["*", "br-lan"],
                &["br-", "br-l", "br-lan2", "br-wan", "docker0", "tap0", "lo"],
            ),
            (
                &["br-lan", "br-wan", "br-lan2", "tap0"],
                &["br-", "br-l", "docker0", "lo"],
            ),
            (
                &["br-l*", "br-lan"],
                &["br-", "br-wan", "docker0", "tap0", "lo"],
            ),
            (&["br-*", "docker0", "tap?"], &["lo"]),
        ] {
            let asking: Vec<String> = asking.iter().map(ToString::to_string).collect();
            let patterns = patterns_without_dhcp(&asking);
            let is_denied = |link: &&&str| patterns.iter().any(|pattern| matches(pattern, link));
            let found: Vec<&str> = NONE.iter().filter(is_denied).copied().collect();
            assert_eq!(found, denied, "{asking:?}: {patterns:?}");
        }
        let docker_bridge = "br-0123456789ab";
        let patterns = patterns_without_dhcp(&["*".to_owned(), "br--x".to_owned()]);
        assert!(
            patterns
                .iter()
                .any(|pattern| matches(pattern, docker_bridge))
        );
        assert!(!patterns.iter().any(|pattern| matches(pattern, "br--x")));
    }
}
