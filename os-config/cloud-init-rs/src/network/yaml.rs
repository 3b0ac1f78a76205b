//! Access to values of a YAML document by their keys.

use serde_yaml::Value;

/// The text of a scalar; `None` for an empty text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// The text at a key.
pub(super) fn text_at(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(text)
}

/// The texts at a key, which holds a text or a list of texts.
pub(super) fn texts_at(value: &Value, key: &str) -> Vec<String> {
    match value.get(key) {
        Some(Value::Sequence(items)) => items.iter().filter_map(text).collect(),
        Some(one) => text(one).into_iter().collect(),
        None => Vec::new(),
    }
}

pub(super) fn items_at<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(key)
        .and_then(Value::as_sequence)
        .into_iter()
        .flatten()
}

pub(super) fn is_true_at(value: &Value, key: &str) -> bool {
    text_at(value, key).is_some_and(|text| matches!(text.as_str(), "true" | "yes" | "on" | "True"))
}

/// Whether a key is there and off.
pub(super) fn is_false_at(value: &Value, key: &str) -> bool {
    text_at(value, key)
        .is_some_and(|text| matches!(text.as_str(), "false" | "no" | "off" | "False"))
}
