//! Access to JSON documents of metadata services.

use serde_json::Value;

use crate::error::SourceError;

/// Parses a document; `from` is its address, for the error.
pub(crate) fn parse(bytes: &[u8], from: &str) -> Result<Value, SourceError> {
    serde_json::from_slice(bytes).map_err(|_| SourceError::format(from, "JSON"))
}

/// The text or number at a JSON pointer; `None` for an empty text.
pub(crate) fn text_at(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The items of the list at a JSON pointer.
pub(crate) fn items_at<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let items = value.pointer(pointer).and_then(Value::as_array);
    items.into_iter().flatten()
}

/// The texts of the list at a JSON pointer, or the lines of the text there.
pub(crate) fn texts_at(value: &Value, pointer: &str) -> Vec<String> {
    let texts: Vec<&str> = match value.pointer(pointer) {
        Some(Value::String(text)) => text.lines().collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    texts
        .into_iter()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}
