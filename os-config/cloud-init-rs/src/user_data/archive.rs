//! `#cloud-config-archive`: a YAML list of documents (cloud-init's documentation, "Cloud config archive").

use serde_yaml::Value;

use super::document::without_empty_lines;
use super::error::UserDataError;

/// Whether a document is an archive, by its MIME type or its first line.
pub(super) fn is_archive(bytes: &[u8], kind: Option<&str>) -> bool {
    kind == Some("text/cloud-config-archive")
        || without_empty_lines(bytes).starts_with(b"#cloud-config-archive")
}

/// The MIME type, if it is given, and the text of each document.
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
