//! The configuration as YAML to be kept or handed on, without what nobody should paste into a forum.

use std::path::Path;

use serde_yaml::{Mapping, Value};

use super::metadata::Metadata;
use super::{image_layers, user_layers};
use crate::yaml::scalar::Dialect;
use crate::yaml::tree::Node;

/// Never shown: whoever sees them can log in.
const NEVER: [&[&str]; 4] = [
    &["rancher", "password"],
    &["rancher", "autologin"],
    &["rancher", "environment", "EXTRA_CMDLINE"],
    &["EXTRA_CMDLINE"],
];

/// Shown only when asked for.
const PRIVATE: [&[&str]; 9] = [
    // Its address or token lets any machine join.
    &["rancher", "agent"],
    &["rancher", "ssh"],
    &["rancher", "docker", "ca_key"],
    &["rancher", "docker", "ca_cert"],
    &["rancher", "docker", "server_key"],
    &["rancher", "docker", "server_cert"],
    &["rancher", "registry_auths"],
    &["rancher", "network", "wifi_networks", "*", "psk"],
    &["rancher", "network", "wifi_networks", "*", "password"],
];

/// The user's part of the configuration, with the image's defaults if `full`, with keys and certificates
/// if `private`; keys are sorted. Passwords never.
pub fn export(root: &Path, full: bool, private: bool) -> Value {
    let mut problems = Vec::new();
    let metadata = Metadata::read(root, &mut problems);
    let mut tree = if full {
        image_layers(root, &mut problems)
    } else {
        Node::empty_map()
    };
    tree.merge(user_layers(root, &metadata, &mut problems));
    metadata.apply(root, &mut tree);
    let mut value = tree.to_value(Dialect::Core);
    let hidden: &[&[&str]] = if private { &[] } else { &PRIVATE };
    without_passwords(&mut value);
    for path in hidden {
        remove(&mut value, path);
    }
    if let Value::Mapping(map) = &mut value {
        map.entry("ssh_authorized_keys".into())
            .or_insert_with(|| Value::Sequence(Vec::new()));
    }
    sorted(value)
}

/// Takes out what lets its reader log in.
pub(super) fn without_passwords(value: &mut Value) {
    for path in NEVER {
        remove(value, path);
    }
}

/// Takes out what is at `path`; `*` is any key. A section that becomes empty goes too.
fn remove(value: &mut Value, path: &[&str]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let Some(map) = value.as_mapping_mut() else {
        return;
    };
    if *first == "*" {
        for value in map.values_mut() {
            remove(value, rest);
        }
    } else if rest.is_empty() {
        map.remove(*first);
    } else if let Some(below) = map.get_mut(*first) {
        let was_empty = is_empty(below);
        remove(below, rest);
        if is_empty(below) && !was_empty {
            map.remove(*first);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_mapping().is_some_and(Mapping::is_empty)
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Mapping(map) => {
            let mut entries: Vec<(Value, Value)> = map
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            entries.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
            Value::Mapping(entries.into_iter().collect())
        }
        Value::Sequence(list) => Value::Sequence(list.into_iter().map(sorted).collect()),
        other => other,
    }
}
