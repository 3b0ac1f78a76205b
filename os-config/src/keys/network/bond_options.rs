//! `bond_opts`: the options of the kernel's bonding driver, each with its values.
//!
//! Source: the kernel's documentation of the bonding driver.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_yaml::Value;

use super::values;
use crate::reader::findings::Findings;
use crate::reader::suggest::suggestion;
use crate::yaml::scalar;

/// The values of an option.
enum OptionKind {
    Number,
    Flag,
    /// Words, which the driver also takes by their number.
    Words(&'static [&'static str]),
    /// Addresses with commas between.
    Addresses,
    Link,
    Mac,
}

const OPTIONS: [(&str, OptionKind); 29] = [
    (
        "mode",
        OptionKind::Words(&[
            "balance-rr",
            "active-backup",
            "balance-xor",
            "broadcast",
            "802.3ad",
            "balance-tlb",
            "balance-alb",
        ]),
    ),
    ("active_slave", OptionKind::Link),
    ("ad_actor_sys_prio", OptionKind::Number),
    ("ad_actor_system", OptionKind::Mac),
    (
        "ad_select",
        OptionKind::Words(&["stable", "bandwidth", "count"]),
    ),
    ("ad_user_port_key", OptionKind::Number),
    ("all_slaves_active", OptionKind::Flag),
    ("arp_all_targets", OptionKind::Words(&["any", "all"])),
    ("arp_interval", OptionKind::Number),
    ("arp_ip_target", OptionKind::Addresses),
    (
        "arp_validate",
        OptionKind::Words(&[
            "none",
            "active",
            "backup",
            "all",
            "filter",
            "filter_active",
            "filter_backup",
        ]),
    ),
    ("downdelay", OptionKind::Number),
    (
        "fail_over_mac",
        OptionKind::Words(&["none", "active", "follow"]),
    ),
    ("lacp_active", OptionKind::Words(&["off", "on"])),
    ("lacp_rate", OptionKind::Words(&["slow", "fast"])),
    ("lp_interval", OptionKind::Number),
    ("miimon", OptionKind::Number),
    ("min_links", OptionKind::Number),
    ("num_grat_arp", OptionKind::Number),
    ("num_unsol_na", OptionKind::Number),
    ("packets_per_slave", OptionKind::Number),
    ("peer_notify_delay", OptionKind::Number),
    ("primary", OptionKind::Link),
    (
        "primary_reselect",
        OptionKind::Words(&["always", "better", "failure"]),
    ),
    ("resend_igmp", OptionKind::Number),
    ("tlb_dynamic_lb", OptionKind::Flag),
    ("updelay", OptionKind::Number),
    ("use_carrier", OptionKind::Flag),
    (
        "xmit_hash_policy",
        OptionKind::Words(&[
            "layer2",
            "layer3+4",
            "layer2+3",
            "encap2+3",
            "encap3+4",
            "vlan+srcmac",
        ]),
    ),
];

/// The valid options. Each other option is reported: it costs itself, and the bond is made.
pub(super) fn check(
    path: &str,
    options: BTreeMap<String, String>,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let checked = options.into_iter().filter_map(|(name, value)| {
        let path = format!("{path}.{name}");
        let Some(kind) = kind(&name) else {
            let names: Vec<&str> = OPTIONS.iter().map(|(name, _)| *name).collect();
            let hint = suggestion(&name, &names);
            let hint = hint.map(|known| format!("; did you mean `{known}`?"));
            let hint = hint.unwrap_or_default();
            findings.error(path, format!("no option of a bond, it has no effect{hint}"));
            return None;
        };
        match kind.read(value.trim()) {
            Some(value) => Some((name, value)),
            None => findings.mismatch(&path, &kind.expected(), &Value::String(value)),
        }
    });
    checked.collect()
}

fn kind(name: &str) -> Option<&'static OptionKind> {
    let mut known = OPTIONS.iter();
    let found = known.find(|(known, _)| *known == name);
    found.map(|(_, kind)| kind)
}

impl OptionKind {
    /// The value as `ip link` takes it; `None` for a wrong value.
    fn read(&self, value: &str) -> Option<String> {
        let number = value.parse::<u32>().ok();
        match self {
            Self::Number => Some(number?.to_string()),
            Self::Flag => {
                let number = number.or_else(|| scalar::boolean(value).map(u32::from));
                Some(number.filter(|number| *number < 2)?.to_string())
            }
            // Programs take the number of a word too.
            Self::Words(words) => {
                let is_known = match number {
                    Some(number) => usize::try_from(number).is_ok_and(|index| index < words.len()),
                    None => words.contains(&value),
                };
                is_known.then(|| value.to_owned())
            }
            Self::Addresses => {
                let parts = value.split([',', ' ']).map(str::trim);
                // The driver's file takes `+` before an address to add.
                let addresses = parts
                    .filter(|part| !part.is_empty())
                    .map(|part| part.trim_start_matches('+').parse::<IpAddr>().ok());
                let addresses: Option<Vec<IpAddr>> = addresses.collect();
                let addresses = addresses.filter(|list| !list.is_empty())?;
                let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                Some(texts.join(","))
            }
            Self::Link => values::is_link_name(value).then(|| value.to_owned()),
            Self::Mac => {
                let is_mac =
                    value.len() == 17 && value.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
                is_mac.then(|| value.to_owned())
            }
        }
    }

    fn expected(&self) -> String {
        match self {
            Self::Number => "a number".to_owned(),
            Self::Flag => "0 or 1".to_owned(),
            Self::Words(words) => format!("one of {}", words.join(", ")),
            Self::Addresses => "addresses with commas between".to_owned(),
            Self::Link => "the name of a link".to_owned(),
            Self::Mac => "a hardware address of six pairs".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::reader::findings::Findings;

    #[test]
    fn options_with_their_values() {
        for (option, value, expected) in [
            ("mode", "4", Some("4")),
            ("mode", "active-backup", Some("active-backup")),
            ("mode", "7", None),
            ("mode", "fast", None),
            ("miimon", "100", Some("100")),
            ("miimon", "often", None),
            ("mimon", "100", None),
            ("slaves", "none", None),
            ("xmit_hash_policy", "layer3+4", Some("layer3+4")),
            ("lacp_rate", "1", Some("1")),
            ("all_slaves_active", "true", Some("1")),
            ("use_carrier", "0", Some("0")),
            (
                "arp_ip_target",
                "10.0.0.1, +10.0.0.2",
                Some("10.0.0.1,10.0.0.2"),
            ),
            ("arp_ip_target", "host", None),
            ("primary", "eth0", Some("eth0")),
            ("primary", "eth0 up", None),
            (
                "ad_actor_system",
                "00:11:22:33:44:55",
                Some("00:11:22:33:44:55"),
            ),
        ] {
            let mut findings = Findings::default();
            let options = [(option.to_owned(), value.to_owned())].into();
            let found = check("b", options, &mut findings);
            assert_eq!(
                found.get(option).map(String::as_str),
                expected,
                "{option} {value}"
            );
            assert_eq!(
                findings.list.len(),
                usize::from(expected.is_none()),
                "{option} {value}"
            );
        }
    }
}
