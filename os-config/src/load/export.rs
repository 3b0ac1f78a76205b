//! Exports the configuration as YAML that a user can store or show to others.

use std::path::Path;

use serde_yaml::Value;

use crate::load::layers::{image_layers, user_layers};
use crate::load::metadata::Metadata;
use crate::load::secrets;
use crate::yaml::scalar::Dialect;
use crate::yaml::tree::Node;

/// The user's part of the configuration, with the image's defaults if `full`, with keys and certificates if `private`,
/// and never with passwords. `private` also keeps files, and values with the name of a secret. Keys are sorted.
pub fn export(root: &Path, full: bool, private: bool) -> Value {
    let mut problems = Vec::new();
    let metadata = Metadata::read(root, &mut problems);
    let mut tree = if full {
        image_layers(root, &mut problems)
    } else {
        Node::empty_map()
    };
    tree.merge(user_layers(root, &metadata, &mut problems));
    metadata.fill_missing(root, &mut tree);
    let mut value = tree.to_value(Dialect::Core);
    secrets::remove_passwords(&mut value);
    if !private {
        secrets::remove_keys(&mut value);
    }
    if let Value::Mapping(map) = &mut value {
        map.entry("ssh_authorized_keys".into())
            .or_insert_with(|| Value::Sequence(Vec::new()));
    }
    sorted(value)
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
