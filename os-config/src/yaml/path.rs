//! Dotted paths of keys and items, as diagnostics name them: `users[0].name`.

/// The path of a key below `path`.
pub(crate) fn key_path(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The path of a list's item.
pub(crate) fn item_path(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
