//! `#cloud-config-archive`: a YAML list of documents (cloud-init's documentation, "Cloud config archive").

use serde_yaml::Value;

use super::UserDataError;

/// The documents with their MIME types, where those are given.
pub(super) fn split(bytes: &[u8]) -> Result<Vec<(Option<String>, String)>, UserDataError> {
    let value: Value = serde_yaml::from_slice(bytes).map_err(|_| UserDataError::Archive)?;
    let items = value.as_sequence().ok_or(UserDataError::Archive)?;
    items
        .iter()
        .map(|item| {
            let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
            match item {
                Value::String(content) => Ok((None, content.clone())),
                _ => text("content")
                    .map(|content| (text("type"), content))
                    .ok_or(UserDataError::Archive),
            }
        })
        .collect()
}
