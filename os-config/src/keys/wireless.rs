//! `rancher.network.wifi_networks` and `modem_networks`: read and checked. No program uses them yet.

use std::collections::BTreeMap;

use crate::reader::Reader;
use crate::reader::findings::Findings;

/// A network of wpa_supplicant, with the names of its own configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wifi {
    /// Keys with one value: `ssid`, `psk`, `identity` …
    pub texts: BTreeMap<&'static str, String>,
    /// Keys with a value for each phase: `ca_certs`, `phases` …
    pub lists: BTreeMap<&'static str, Vec<String>>,
}

/// A mobile network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modem {
    pub apn: Option<String>,
    pub extra_args: Option<String>,
}

const TEXTS: [&str; 14] = [
    "address",
    "anonymous_identity",
    "eap",
    "eapol_flags",
    "gateway",
    "group",
    "identity",
    "key_mgmt",
    "pairwise",
    "password",
    "priority",
    "psk",
    "scan_ssid",
    "ssid",
];
const LISTS: [&str; 5] = [
    "ca_certs",
    "client_certs",
    "phases",
    "private_key_passwds",
    "private_keys",
];

pub(crate) fn wifi_networks(
    reader: &mut Reader<'_>,
    findings: &mut Findings,
) -> BTreeMap<String, Wifi> {
    let base = reader.path_of("wifi_networks");
    let entries = reader.entries("wifi_networks", findings).into_iter();
    entries
        .map(|(name, value)| {
            let mut section = Reader::new(value, &format!("{base}.{name}"), findings);
            let mut wifi = Wifi::default();
            for key in TEXTS {
                let text = section.text(key, findings);
                wifi.texts.extend(text.map(|text| (key, text)));
            }
            for key in LISTS {
                let list = section.list(key, findings);
                wifi.lists.extend((!list.is_empty()).then_some((key, list)));
            }
            section.finish(findings);
            (name, wifi)
        })
        .collect()
}

pub(crate) fn modem_networks(
    reader: &mut Reader<'_>,
    findings: &mut Findings,
) -> BTreeMap<String, Modem> {
    let base = reader.path_of("modem_networks");
    let entries = reader.entries("modem_networks", findings).into_iter();
    entries
        .map(|(name, value)| {
            let mut section = Reader::new(value, &format!("{base}.{name}"), findings);
            let modem = Modem {
                apn: section.text("apn", findings),
                extra_args: section.text("extra_args", findings),
            };
            section.finish(findings);
            (name, modem)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::config::read;

    #[test]
    fn networks_of_both_kinds() {
        let (config, problems) = read(
            "rancher: {network: {wifi_networks: {home: {ssid: moo, psk: secret, priority: 5, phases: [a]}}, \
             modem_networks: {m: {apn: internet, extra_arg: x}}}}",
        );
        let network = &config.rancher.network;
        let wifi = &network.wifi_networks["home"];
        assert_eq!(
            (wifi.texts["ssid"].as_str(), wifi.texts["priority"].as_str()),
            ("moo", "5")
        );
        assert_eq!(wifi.lists["phases"], ["a"]);
        assert_eq!(network.modem_networks["m"].apn.as_deref(), Some("internet"));
        assert_eq!(
            problems,
            [
                "rancher.network.modem_networks.m.extra_arg: unknown key, it has no effect; did you mean `extra_args`?",
                "rancher.network.wifi_networks: PaddockOS does not do this yet; it has no effect",
                "rancher.network.modem_networks: PaddockOS does not do this yet; it has no effect",
            ]
        );
    }
}
