//! The file `meta-data`, whose format VMware's guestinfo shares.

use serde_yaml::Value;

use crate::data::InstanceData;
use crate::error::SourceError;

/// Adds `meta-data` to the data.
pub(crate) fn add_meta_data(data: &mut InstanceData, bytes: &[u8]) -> Result<(), SourceError> {
    let meta: Value =
        serde_yaml::from_slice(bytes).map_err(|_| SourceError::format("meta-data", "YAML"))?;
    let word = |key: &str| match meta.get(key)? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        // YAML reads an id or a name of digits as a number.
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    data.hostname = word("local-hostname").or_else(|| word("hostname"));
    data.instance_id = word("instance-id");
    data.ssh_keys = keys(meta.get("public-keys").or_else(|| meta.get("public_keys")));
    if data.network.is_none()
        && let Some(Value::String(text)) = meta.get("network-interfaces")
        && !text.is_empty()
    {
        data.problems.push(
            "meta-data: network-interfaces is not supported; give a network-config".to_owned(),
        );
    }
    Ok(())
}

/// SSH keys from a text with a key in each line, a list, or a map of names.
fn keys(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => text.lines().map(str::to_owned).collect(),
        Some(Value::Sequence(items)) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Some(Value::Mapping(entries)) => entries
            .values()
            .flat_map(|value| keys(Some(value)))
            .collect(),
        _ => Vec::new(),
    }
}
