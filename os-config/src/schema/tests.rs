//! Page and schema are complete, and the page in the checkout is current.

use std::sync::LazyLock;

use serde_yaml::{Mapping, Value};

use crate::config::Config;
use crate::diagnostic::{Diagnostic, Severity};
use crate::document;
use crate::reader::findings::Findings;
use crate::reader::key_kind::KeyKind;
use crate::reader::public_keys;
use crate::schema::documentation::Documentation;
use crate::schema::sections::{NAME, PROBE, sections};
use crate::schema::{json_schema, reference};
use crate::validate::validate;
use crate::yaml::dotted;
use crate::yaml::path::key_path;
use crate::yaml::scalar;

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

/// Values of every form that keys take.
const VALUES: [&str; 24] = [
    "set",
    "true",
    "false",
    "7",
    "1400",
    "7m",
    "set.conf",
    "/set",
    "10.1.2.3",
    "10.1.2.3/24",
    "https://set.example",
    "'set:set'",
    "all",
    "text",
    "YTpi",
    "[set]",
    "[set, set, set]",
    "[[/dev/set, /mnt/set]]",
    "[{path: /set}]",
    "[{name: set, password: set, type: text}]",
    "{set: set, mode: 1}",
    "{set: {image: set, ssid: set, apn: set, url: 'https://set', username: a, password: b}}",
    "{set: 7}",
    "{remove_defaults: true}",
];

/// A key that changes nothing and is not told of is a setting that a user believes in. `iso/tests/house` shows that code
/// reads what such a key changes.
#[test]
fn every_key_changes_the_configuration_or_gives_a_warning() {
    let typed = |document: &Value| {
        let mut findings = Findings::default();
        let config = Config::read_with_findings(document, &mut findings);
        (format!("{config:?}"), findings.list)
    };
    let (unchanged, _) = typed(&serde_yaml::from_str(PROBE).unwrap());
    let mut met = Vec::new();
    let mut silent = Vec::new();
    for section in sections() {
        for (key, kind) in &section.keys {
            let path = key_path(&section.path, key);
            match kind {
                // Its keys are in the list themselves.
                KeyKind::Section => continue,
                KeyKind::Met => {
                    met.push(path);
                    continue;
                }
                _ => {}
            }
            let real_path = real_path(&path);
            let is_told = VALUES.iter().any(|value| {
                let value = serde_yaml::from_str(value).unwrap();
                let (config, findings) = typed(&probe_with(&section.path, key, value));
                let is_warning = |found: &Diagnostic| {
                    found.key_path == real_path && found.severity == Severity::Warning
                };
                config != unchanged || findings.iter().any(is_warning)
            });
            if !is_told {
                silent.push(path);
            }
        }
    }
    assert_eq!(silent, [""; 0]);
    // Each of them has its reason where a reader declares it.
    assert_eq!(
        met,
        [
            "growpart.ignore_growroot_disabled",
            "rancher.registry_auths.NAME.email",
            "rancher.services.NAME.ports[].mode",
            "write_files[].defer",
        ]
    );
}

/// What a reader takes without a word, an editor with the schema must take too.
#[test]
fn the_schema_accepts_what_the_readers_accept() {
    let schema = json_schema();
    let mut wrong = Vec::new();
    let mut check = |name: &str, value: &Value, said: &[Diagnostic]| {
        if said.iter().any(Diagnostic::is_error) {
            return;
        }
        let mut refused = Vec::new();
        refuse(&schema, value, "", &mut refused);
        let is_said = |path: &String| {
            let mut keys = said.iter().map(|found| found.key_path.as_str());
            keys.any(|key| path.starts_with(key) || key.starts_with(path.as_str()))
        };
        let unsaid = refused.iter().filter(|path| !is_said(path));
        wrong.extend(unsaid.map(|path| format!("{name}: {path}")));
    };
    for section in sections() {
        for key in section.keys.keys() {
            let path = real_path(&key_path(&section.path, key));
            for text in VALUES {
                let document = probe_with(&section.path, key, serde_yaml::from_str(text).unwrap());
                let mut findings = Findings::default();
                Config::read_with_findings(&document, &mut findings);
                check(&format!("{path}: {text}"), &document, &findings.list);
            }
        }
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if let Ok(document) = document::parse(&bytes) {
            check(&name, &document.value, &validate(&bytes, &name));
            count += 1;
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert!(count > 70, "{count} documents");
}

/// Adds the paths at which a schema refuses a value. A keyword that [`json_schema`] does not write ends the test.
fn refuse(schema: &Value, value: &Value, path: &str, refused: &mut Vec<String>) {
    let mut is_refused = false;
    for (keyword, rule) in schema.as_mapping().unwrap() {
        match keyword.as_str().unwrap() {
            "type" => {
                let allowed = match rule {
                    Value::Sequence(types) => types.clone(),
                    single => vec![single.clone()],
                };
                let is_of = |kind: &Value| is_of_type(value, kind.as_str().unwrap());
                is_refused |= !allowed.iter().any(is_of);
            }
            "anyOf" => {
                let accepts = |schema: &Value| {
                    let mut found = Vec::new();
                    refuse(schema, value, path, &mut found);
                    found.is_empty()
                };
                is_refused |= !rule.as_sequence().unwrap().iter().any(accepts);
            }
            "items" => {
                for (i, item) in value.as_sequence().into_iter().flatten().enumerate() {
                    refuse(rule, item, &format!("{path}[{i}]"), refused);
                }
            }
            "properties" => {
                for (key, value) in value.as_mapping().into_iter().flatten() {
                    if let Some(rule) = rule.get(key) {
                        let path = key_path(path, &scalar::text(key).unwrap());
                        refuse(rule, value, &path, refused);
                    }
                }
            }
            "additionalProperties" => {
                let known = schema.get("properties");
                for (key, value) in value.as_mapping().into_iter().flatten() {
                    let path = key_path(path, &scalar::text(key).unwrap());
                    match rule {
                        _ if known.is_some_and(|known| known.get(key).is_some()) => {}
                        Value::Bool(false) => refused.push(path),
                        rule => refuse(rule, value, &path, refused),
                    }
                }
            }
            "$schema" | "title" | "description" | "default" | "deprecated" => {}
            other => panic!("{other}"),
        }
    }
    if is_refused {
        refused.push(path.to_owned());
    }
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    match value {
        Value::Null => kind == "null",
        Value::Bool(_) => kind == "boolean",
        Value::Number(number) => kind == "number" || kind == "integer" && !number.is_f64(),
        Value::String(_) => kind == "string",
        Value::Sequence(_) => kind == "array",
        Value::Mapping(_) => kind == "object",
        Value::Tagged(tagged) => is_of_type(&tagged.value, kind),
    }
}

/// The path of a key in [`PROBE`].
fn real_path(path: &str) -> String {
    path.replace("NAME", NAME).replace("[]", "[0]")
}

/// [`PROBE`] with a key in the section at `path`.
fn probe_with(path: &str, key: &str, value: Value) -> Value {
    static PROBE_VALUE: LazyLock<Value> = LazyLock::new(|| serde_yaml::from_str(PROBE).unwrap());
    let mut document = PROBE_VALUE.clone();
    let mut here = &mut document;
    let path = real_path(path);
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let name = part.strip_suffix("[0]");
        let section = here.as_mapping_mut().unwrap();
        here = section
            .entry(name.unwrap_or(part).into())
            .or_insert_with(|| Value::Mapping(Mapping::new()));
        if name.is_some() {
            here = &mut here[0];
        }
    }
    here.as_mapping_mut().unwrap().insert(key.into(), value);
    document
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
    at(&["properties", "users", "anyOf"]);
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
                KeyKind::Any
                    | KeyKind::Forms
                    | KeyKind::List
                    | KeyKind::Map
                    | KeyKind::Entries
                    | KeyKind::Items
            );
            let above = pattern.get(..parts.len()).unwrap_or(&pattern);
            (parts.len() == pattern.len() || has_names) && public_keys::matches(above, &parts)
        });
        assert!(is_known, "no configuration has {}", pattern.join("/"));
    }
}
