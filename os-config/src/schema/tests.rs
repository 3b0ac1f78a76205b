//! Page and schema are complete, and the page in the checkout is current.

use crate::diagnostic::Severity;
use crate::reader::key_kind::KeyKind;
use crate::reader::public_keys;
use crate::schema::documentation::Documentation;
use crate::schema::sections::sections;
use crate::schema::{json_schema, reference};
use crate::validate::validate;
use crate::yaml::dotted;
use crate::yaml::path::key_path;

/// Sections with a text for every key. Compose and cloud-init document the keys of the other sections.
const EXPLAINED: [&str; 8] = [
    "",
    "rancher",
    "rancher.cloud_init",
    "rancher.network",
    "rancher.ssh",
    "rancher.state",
    "swap",
    "ca_certs",
];

#[test]
fn every_key_is_explained() {
    let documentation = Documentation::from_defaults();
    let mut missing = Vec::new();
    for section in sections() {
        if !EXPLAINED.contains(&section.path.as_str()) {
            continue;
        }
        for (key, kind) in &section.keys {
            let path = key_path(&section.path, key);
            if *kind != KeyKind::Ignored && documentation.text(&path).is_none() {
                missing.push(path);
            }
        }
    }
    assert_eq!(missing, [""; 0], "say it in defaults/os-config.yml");
}

#[test]
fn validation_warns_of_every_key_without_effect() {
    for section in sections() {
        for key in &section.without_effect {
            let path = key_path(&section.path, key).replace("NAME", "probe");
            let mut document = serde_yaml::Value::Null;
            dotted::set(&mut document, &path, "set".into()).unwrap();
            let text = serde_yaml::to_string(&document).unwrap();
            let found = validate(text.as_bytes(), "my.yml");
            assert!(
                found.iter().any(|it| it.key_path == path
                    && it.severity == Severity::Warning
                    && it.position.is_some()),
                "{path}: {found:?}"
            );
        }
    }
}

#[test]
fn the_page_of_the_manual_is_current() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cloud-config.md");
    let page = reference();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, &page).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == page,
        "docs/cloud-config.md is not what the types say; UPDATE_GOLDEN=1 writes it anew"
    );
}

#[test]
fn the_schema_knows_what_the_types_know() {
    let schema = json_schema();
    let at = |path: &[&str]| {
        path.iter().fold(&schema, |value, key| {
            value.get(*key).unwrap_or_else(|| panic!("{path:?}: {key}"))
        })
    };
    let rancher = ["properties", "rancher", "properties"];
    let below = |keys: &[&'static str]| [&rancher[..], keys].concat();
    assert_eq!(
        at(&["additionalProperties"]),
        &serde_yaml::Value::from(false)
    );
    at(&["properties", "users", "items"]);
    at(&below(&[
        "network",
        "properties",
        "interfaces",
        "additionalProperties",
        "properties",
        "bond_opts",
    ]));
    at(&below(&[
        "services",
        "additionalProperties",
        "properties",
        "image",
    ]));
    assert_eq!(
        at(&below(&["shutdown_timeout", "default"])),
        &serde_yaml::Value::from(60)
    );
    at(&below(&[
        "docker",
        "properties",
        "log_opts",
        "default",
        "max-size",
    ]));
    // The texts of the defaults become descriptions.
    assert!(at(&below(&["sysctl", "description"])).as_str().is_some());
}

#[test]
fn every_public_key_is_a_key() {
    let known: Vec<(String, KeyKind)> = sections()
        .into_iter()
        .flat_map(|section| {
            let path = section.path.replace("[]", "");
            let keys = section.keys.into_iter();
            keys.map(move |(key, kind)| (key_path(&path, key), kind))
        })
        .collect();
    for pattern in public_keys::patterns() {
        let is_known = known.iter().any(|(path, kind)| {
            let parts: Vec<&str> = path.split('.').collect();
            let has_names = matches!(
                kind,
                KeyKind::Any | KeyKind::List | KeyKind::Map | KeyKind::Entries | KeyKind::Items
            );
            let above = pattern.get(..parts.len()).unwrap_or(&pattern);
            (parts.len() == pattern.len() || has_names) && public_keys::matches(above, &parts)
        });
        assert!(is_known, "no configuration has {}", pattern.join("/"));
    }
}
