//! The keys of the configuration: recorded while [`Config`] reads a document that has an entry of each kind.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::reader::findings::Findings;
use crate::reader::key_kind::KeyKind;
use crate::yaml::path::key_path;

/// A document with an entry wherever users choose the names, so that readers ask for the keys below the names too.
pub(super) const PROBE: &str = "
users: [{name: probe}]
groups: [{probe: a}]
write_files: [{path: /probe}]
mounts: [[/dev/probe, /mnt/probe]]
chpasswd: {users: [{name: probe, password: a}]}
swap: {size: 1}
rsyslog: {configs: [a]}
rancher:
  docker: {data_root: /probe}
  system_docker: {data_root: /probe}
  registry_auths: {probe: {username: a, password: a}}
  services:
    probe: {image: a, volumes: [{target: /a}], ports: [{target: 1}], ulimits: {probe: {soft: 1, hard: 1}}}
  repositories: {probe: {url: 'https://a'}}
  network: {interfaces: {probe: {dhcp: true}}, wifi_networks: {probe: {ssid: a}}, modem_networks: {probe: {apn: a}}}
";
pub(super) const NAME: &str = "probe";

/// The keys of one mapping, such as `users[]` or `rancher.services.NAME`.
pub(crate) struct Section {
    /// With `[]` for an item of a list and `NAME` for a name that the user chooses; empty for the top.
    pub(crate) path: String,
    pub(crate) keys: BTreeMap<&'static str, KeyKind>,
    /// The keys that have no effect.
    pub(crate) without_effect: BTreeSet<&'static str>,
}

pub(crate) fn sections() -> Vec<Section> {
    let mut findings = Findings {
        keys: Some(BTreeMap::new()),
        ..Findings::default()
    };
    let probe = serde_yaml::from_str(PROBE).unwrap_or_default();
    Config::read_with_findings(&probe, &mut findings);
    let without_effect = findings.without_effect;
    let keys = findings.keys.unwrap_or_default().into_iter();
    keys.map(|(path, keys)| Section {
        without_effect: keys
            .keys()
            .copied()
            .filter(|key| without_effect.contains(&key_path(&path, key)))
            .collect(),
        path: path
            .replace("[0]", "[]")
            .replace(&format!(".{NAME}"), ".NAME"),
        keys,
    })
    .collect()
}
