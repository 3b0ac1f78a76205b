//! Dotted paths into a configuration: `rancher.docker.log_opts`.
//!
//! Quotes hold a key that contains dots (`rancher.network.interfaces."eth1.100".dhcp`); below `rancher.sysctl`, the
//! rest of the path is one key.

use serde_yaml::{Mapping, Value};

/// Sections with keys that contain dots.
const SECTIONS_WITH_DOTTED_KEYS: [&[&str]; 1] = [&["rancher", "sysctl"]];

/// Why a value cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The path or a part of it is empty.
    #[error("expected a path like rancher.debug, found {0:?}")]
    Path(String),
    /// A part of the path is no map, so it cannot hold the rest.
    #[error("{0} is not a map")]
    NotAMap(String),
}

/// The value at `path`; lists cannot be indexed.
pub fn get<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    look_up(value, &split(path)?)
}

/// A stored key may contain dots: the longest key that fits counts.
fn look_up<'a>(value: &'a Value, parts: &[String]) -> Option<&'a Value> {
    if parts.is_empty() {
        return Some(value);
    }
    let map = value.as_mapping()?;
    (1..=parts.len()).rev().find_map(|count| {
        let (key, rest) = parts.split_at(count);
        look_up(map.get(key.join("."))?, rest)
    })
}

/// Sets the value at `path`, and adds missing maps above it.
pub fn set(value: &mut Value, path: &str, new: Value) -> Result<(), SetError> {
    let parts = split(path).ok_or_else(|| SetError::Path(path.to_owned()))?;
    let parts = join_flat(parts);
    if value.is_null() {
        *value = Value::Mapping(Mapping::new());
    }
    let mut here = value;
    let mut passed: Vec<&str> = Vec::new();
    for part in &parts {
        let Value::Mapping(map) = here else {
            return Err(SetError::NotAMap(passed.join(".")));
        };
        let known = map
            .entry(Value::String(part.clone()))
            .or_insert(Value::Null);
        passed.push(part);
        // An empty section becomes a map; the last part of the path holds the value.
        if known.is_null() && passed.len() < parts.len() {
            *known = Value::Mapping(Mapping::new());
        }
        here = known;
    }
    *here = new;
    Ok(())
}

/// Parts of a path; a quoted part may contain dots. `None` if a part is empty or a quote stays open.
pub(crate) fn split(path: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for c in path.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') if parts.last().is_some_and(String::is_empty) => quote = Some(c),
            (None, '.') => parts.push(String::new()),
            (_, c) => parts.last_mut()?.push(c),
        }
    }
    (quote.is_none() && parts.iter().all(|part| !part.is_empty())).then_some(parts)
}

/// Joins the parts of a key in a section whose keys contain dots.
pub(crate) fn join_flat(mut parts: Vec<String>) -> Vec<String> {
    for section in SECTIONS_WITH_DOTTED_KEYS {
        if parts.len() > section.len() && parts.iter().zip(section).all(|(part, name)| part == name)
        {
            let key = parts.split_off(section.len()).join(".");
            parts.push(key);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{SetError, get, set};
    use serde_yaml::Value;

    fn yaml(text: &str) -> Value {
        serde_yaml::from_str(text).unwrap()
    }

    const DATA: &str = "{key: value, rancher: {key2: {subkey: subvalue, subnum: 42}}}";

    #[test]
    fn values_are_found() {
        for (id, path, expected) in [
            ("GS-01", "key", Some("value")),
            ("GS-02", "rancher.key2.subkey", Some("subvalue")),
            ("GS-03", "rancher.key2.subnum", Some("42")),
            ("GS-04", "rancher.key2.subkey2", None),
            ("GS-05", "foo", None),
            ("GC-10", "key.0", None),
            ("empty", "", None),
            ("dots", "rancher..key2", None),
        ] {
            assert_eq!(get(&yaml(DATA), path).cloned(), expected.map(yaml), "{id}");
        }
        assert_eq!(get(&yaml("{a: [x]}"), "a.0"), None, "GC-10");
    }

    #[test]
    fn values_are_set() {
        let cases = [
            ("GS-06", "key", "value2"),
            ("GS-07", "rancher.key2.subkey", "subvalue2"),
            ("GS-08", "rancher.key2.subkey2", "value"),
            ("GS-09", "rancher.key2.subkey3", "43"),
            ("GS-10", "rancher.key3.subkey3", "44"),
            ("GS-11", "key4", "value4"),
        ];
        let mut all = yaml(DATA);
        for (id, path, new) in cases {
            let mut data = yaml(DATA);
            set(&mut data, path, yaml(new)).unwrap();
            assert_eq!(get(&data, path), Some(&yaml(new)), "{id}");
            set(&mut all, path, yaml(new)).unwrap();
        }
        let expected = "{key: value2, key4: value4, rancher: {key2: {subkey: subvalue2, subkey2: value, subkey3: 43, subnum: 42}, key3: {subkey3: 44}}}";
        assert_eq!(all, yaml(expected), "GS-12");
    }

    #[test]
    fn keys_with_dots() {
        let mut data = Value::Null;
        set(&mut data, "rancher.sysctl.net.ipv4.ip_forward", yaml("1")).unwrap();
        set(
            &mut data,
            "rancher.network.interfaces.\"eth1.100\".dhcp",
            yaml("true"),
        )
        .unwrap();
        let expected = "{rancher: {sysctl: {net.ipv4.ip_forward: 1}, network: {interfaces: {eth1.100: {dhcp: true}}}}}";
        assert_eq!(data, yaml(expected), "GC-15");
        assert_eq!(
            get(&data, "rancher.sysctl.net.ipv4.ip_forward"),
            Some(&yaml("1"))
        );
        assert_eq!(
            get(&data, "rancher.network.interfaces.eth1.100.dhcp"),
            Some(&yaml("true"))
        );
    }

    #[test]
    fn values_that_cannot_be_set() {
        let mut data = yaml(DATA);
        assert_eq!(
            set(&mut data, "key.sub", yaml("1")),
            Err(SetError::NotAMap("key".into()))
        );
        for path in ["", ".", "a.", ".a", "a..b", "\"a"] {
            assert_eq!(
                set(&mut data, path, yaml("1")),
                Err(SetError::Path(path.into())),
                "{path}"
            );
        }
        assert_eq!(data, yaml(DATA));
    }
}
