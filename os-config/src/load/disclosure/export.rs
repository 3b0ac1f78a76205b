//! Exports the configuration as YAML that a user can store or show to others.

use std::path::Path;

use serde_yaml::Value;

use crate::load::disclosure::public_part::PublicPart;
use crate::load::disclosure::secrets;
use crate::load::layers::{image_layers, own_layers, user_layers};
use crate::load::metadata::Metadata;
use crate::yaml::scalar::Dialect;
use crate::yaml::tree::Node;

/// A configuration to store or to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Keys are sorted.
    pub value: Value,
    /// The paths of the values that are left out, sorted.
    pub left_out: Vec<String>,
}

/// The user's part of the configuration, with the image's defaults if `full`. Without `private`, it has the values of
/// public keys alone; with `private`, all values but passwords.
pub fn export(root: &Path, full: bool, private: bool) -> Export {
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
    let mut left_out = secrets::remove_passwords(&mut value);
    if !private {
        let image = own_layers(root, &mut problems).to_value(Dialect::Core);
        let part = PublicPart::split(&value, &image);
        value = part.value;
        left_out.extend(part.left_out);
    }
    if let Value::Mapping(map) = &mut value {
        map.entry("ssh_authorized_keys".into())
            .or_insert_with(|| Value::Sequence(Vec::new()));
    }
    left_out.sort();
    left_out.dedup();
    Export {
        value: sorted(value),
        left_out,
    }
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
