//! The schema of the configuration: every key that [`Config`] reads, found by reading a document that has
//! an entry of each kind, and what `defaults/os-config.yml` says of it.

mod documentation;
mod reference;

use std::collections::BTreeMap;

use serde_yaml::{Mapping, Value};

use crate::config::Config;
use crate::reader::findings::Findings;
use crate::reader::key_kind::KeyKind;
use crate::yaml::path::key_path;
use documentation::Documentation;

pub use reference::reference;

/// Has an entry wherever names are the user's own, so that what may stand below them is read as well.
const PROBE: &str = "
users: [{name: probe}]
groups: [{probe: a}]
write_files: [{path: /probe}]
chpasswd: {users: [{name: probe, password: a}]}
swap: {size: 1}
rancher:
  docker: {data_root: /probe}
  system_docker: {data_root: /probe}
  registry_auths: {probe: {username: a, password: a}}
  services:
    probe: {image: a, volumes: [{target: /a}], ports: [{target: 1}], ulimits: {probe: {soft: 1, hard: 1}}}
  repositories: {probe: {url: a}}
  network: {interfaces: {probe: {dhcp: true}}, wifi_networks: {probe: {ssid: a}}, modem_networks: {probe: {apn: a}}}
";
const NAME: &str = "probe";

/// The keys of one mapping: what stands below `users[]` or `rancher.services.NAME`.
struct Section {
    /// With `[]` for an item of a list and `NAME` for a name of the user's own; empty for the top.
    path: String,
    keys: BTreeMap<&'static str, KeyKind>,
}

fn sections() -> Vec<Section> {
    let mut findings = Findings {
        keys: Some(BTreeMap::new()),
        ..Findings::default()
    };
    let probe = serde_yaml::from_str(PROBE).unwrap_or_default();
    Config::read_noting(&probe, &mut findings);
    let keys = findings.keys.unwrap_or_default().into_iter();
    keys.map(|(path, keys)| Section {
        path: path
            .replace("[0]", "[]")
            .replace(&format!(".{NAME}"), ".NAME"),
        keys,
    })
    .collect()
}

/// A JSON schema (draft 2020-12) of cloud-configs. Lenient where the system is: a text is as good as a list
/// of one, `"true"` as `true`.
pub fn json_schema() -> Value {
    let documentation = Documentation::of_defaults();
    let sections = sections();
    let mut schema = object("", &sections, &documentation);
    if let Value::Mapping(top) = &mut schema {
        let mut whole = Mapping::new();
        whole.insert(
            "$schema".into(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
        whole.insert("title".into(), "PaddockOS cloud-config".into());
        whole.extend(std::mem::take(top));
        return Value::Mapping(whole);
    }
    schema
}

fn object(path: &str, sections: &[Section], documentation: &Documentation) -> Value {
    let mut properties = Mapping::new();
    if let Some(section) = sections.iter().find(|section| section.path == path) {
        for (key, kind) in &section.keys {
            let below = key_path(path, key);
            properties.insert(
                (*key).into(),
                property(&below, *kind, sections, documentation),
            );
        }
    }
    mapping([
        ("type", types(&["object", "null"])),
        ("properties", Value::Mapping(properties)),
        ("additionalProperties", false.into()),
    ])
}

fn property(
    path: &str,
    kind: KeyKind,
    sections: &[Section],
    documentation: &Documentation,
) -> Value {
    let has = |path: &str| sections.iter().any(|section| section.path == path);
    let scalars = || types(&["string", "number", "boolean", "null"]);
    let scalar = || mapping([("type", scalars())]);
    let any_of = |all: Vec<Value>| mapping([("anyOf", Value::Sequence(all))]);
    let array = |items: Value| mapping([("type", "array".into()), ("items", items)]);
    let by_name = |items: Value| {
        mapping([
            ("type", types(&["object", "null"])),
            ("additionalProperties", items),
        ])
    };
    let (item, name) = (format!("{path}[]"), format!("{path}.NAME"));
    let mut schema = match kind {
        KeyKind::Text => scalar(),
        KeyKind::Boolean => mapping([("type", types(&["boolean", "string", "null"]))]),
        KeyKind::Number => mapping([("type", types(&["integer", "string", "null"]))]),
        KeyKind::List | KeyKind::Words => any_of(vec![array(scalar()), scalar()]),
        KeyKind::Map => any_of(vec![by_name(scalar()), array(scalar())]),
        KeyKind::Section => object(path, sections, documentation),
        KeyKind::Entries if has(&name) => by_name(object(&name, sections, documentation)),
        KeyKind::Entries => by_name(mapping([])),
        KeyKind::Items | KeyKind::Any if has(&item) => array(any_of(vec![
            object(&item, sections, documentation),
            scalar(),
        ])),
        KeyKind::Items => array(mapping([])),
        KeyKind::Any if has(path) => object(path, sections, documentation),
        KeyKind::Any | KeyKind::Ignored => mapping([]),
    };
    if let Value::Mapping(schema) = &mut schema {
        if let Some(text) = documentation.text(path) {
            schema.insert("description".into(), text.into());
        }
        if let Some(default) = documentation.default(path, kind) {
            schema.insert("default".into(), default);
        }
        if kind == KeyKind::Ignored {
            schema.insert("deprecated".into(), true.into());
        }
    }
    schema
}

fn mapping<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Mapping(
        entries
            .into_iter()
            .map(|(key, value)| (Value::from(key), value))
            .collect(),
    )
}

fn types(names: &[&str]) -> Value {
    Value::Sequence(names.iter().map(|&name| name.into()).collect())
}

#[cfg(test)]
mod tests;
