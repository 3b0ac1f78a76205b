//! Values by dotted key, as `ros config get` and `set` name them. A dot always nests.

use serde_yaml::{Mapping, Value};
use thiserror::Error;

/// Why a value could not be set.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SetError {
    #[error("the key has an empty part")]
    EmptyPart,
    #[error("{0} holds a value, not keys")]
    NotKeys(String),
}

/// The value at `key`, if every part of it exists.
pub fn get<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    key.split('.')
        .try_fold(value, |value, part| value.as_mapping()?.get(part))
}

/// Sets the value at `key`, making the mappings on the way.
pub fn set(value: &mut Value, key: &str, new: Value) -> Result<(), SetError> {
    let mut place = value;
    let mut path = String::new();
    for part in key.split('.') {
        if part.is_empty() {
            return Err(SetError::EmptyPart);
        }
        if place.is_null() {
            *place = Value::Mapping(Mapping::new());
        }
        let Value::Mapping(entries) = place else {
            return Err(SetError::NotKeys(path));
        };
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(part);
        place = entries
            .entry(Value::String(part.to_owned()))
            .or_insert(Value::Null);
    }
    *place = new;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{SetError, get, set};
    use serde_yaml::Value;

    #[test]
    fn get_after_set() {
        let mut value: Value =
            serde_yaml::from_str("{key: value, rancher: {key2: {subkey: subvalue}}}").unwrap();
        assert_eq!(
            get(&value, "rancher.key2.subkey"),
            Some(&Value::from("subvalue"))
        );
        assert_eq!(get(&value, "rancher.key2.none"), None);
        assert_eq!(get(&value, "key.below"), None);
        for key in ["new", "rancher.key2.subkey", "rancher.a.b.c"] {
            set(&mut value, key, Value::from(7)).unwrap();
            assert_eq!(get(&value, key), Some(&Value::from(7)), "{key}");
        }
        assert_eq!(
            set(&mut value, "key.below", Value::Null),
            Err(SetError::NotKeys("key".into()))
        );
        assert_eq!(
            set(&mut value, "a..b", Value::Null),
            Err(SetError::EmptyPart)
        );
    }
}
