//! Reads YAML in which a key may be there twice: the last one counts, as in a cloud-config.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Mapping, Value};

/// Duplicates of a document that are named; further duplicates cost nothing but are not said.
const MOST: usize = 20;

/// Reads a document. Adds a message with key and line to `problems` for each duplicate. The error says where the text
/// is no YAML.
pub(super) fn read(bytes: &[u8], problems: &mut Vec<String>) -> Result<Value, serde_yaml::Error> {
    for tolerated in 0..MOST {
        let duplicates = Duplicates::new(tolerated);
        let error = match Seed(&duplicates).deserialize(serde_yaml::Deserializer::from_slice(bytes))
        {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        // Only an error tells the line, so that the document is read once more for each duplicate.
        let Some(key) = duplicates.found.take() else {
            return Err(error);
        };
        let line = error.location().map_or(0, |place| place.line());
        problems.push(format!(
            "line {line}: the key `{key}` is there twice; the last one counts"
        ));
    }
    let duplicates = Duplicates::new(usize::MAX);
    Seed(&duplicates).deserialize(serde_yaml::Deserializer::from_slice(bytes))
}

/// The duplicates of a reading.
struct Duplicates {
    /// Duplicates that this reading accepts still.
    tolerated: Cell<usize>,
    /// The key that ended the reading.
    found: RefCell<Option<String>>,
}

impl Duplicates {
    fn new(tolerated: usize) -> Self {
        Self {
            tolerated: Cell::new(tolerated),
            found: RefCell::new(None),
        }
    }
}

#[derive(Clone, Copy)]
struct Seed<'a>(&'a Duplicates);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Sequence(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut mapping = Mapping::new();
        loop {
            let key = KeySeed {
                mapping: &mapping,
                duplicates: self.0,
            };
            let Some(key) = entries.next_key_seed(key)? else {
                return Ok(Value::Mapping(mapping));
            };
            let value = entries.next_value_seed(self)?;
            mapping.insert(key, value);
        }
    }

    /// A value with a tag counts as the value.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Value, A::Error> {
        use serde::de::VariantAccess;
        let (_, content) = tagged.variant::<String>()?;
        content.newtype_variant_seed(self)
    }
}

/// A key of a mapping whose earlier entries are known.
struct KeySeed<'a> {
    mapping: &'a Mapping,
    duplicates: &'a Duplicates,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Value, E> {
        if self.mapping.contains_key(key) {
            let left = self.duplicates.tolerated.get();
            if left == 0 {
                *self.duplicates.found.borrow_mut() = Some(key.to_owned());
                return Err(E::custom("a key is there twice"));
            }
            self.duplicates.tolerated.set(left - 1);
        }
        Ok(key.into())
    }

    fn visit_bool<E: Error>(self, key: bool) -> Result<Value, E> {
        self.visit_str(&key.to_string())
    }

    fn visit_i64<E: Error>(self, key: i64) -> Result<Value, E> {
        self.visit_str(&key.to_string())
    }

    fn visit_u64<E: Error>(self, key: u64) -> Result<Value, E> {
        self.visit_str(&key.to_string())
    }

    fn visit_f64<E: Error>(self, key: f64) -> Result<Value, E> {
        self.visit_str(&key.to_string())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.visit_str("")
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_last_of_equal_keys_counts_and_each_is_named_with_its_line() {
        let text = "a: 1\nb:\n  c: x\n  d: [{e: 1, e: 2}]\n  c: y\na: 2\n";
        let mut problems = Vec::new();
        let value = read(text.as_bytes(), &mut problems).unwrap();
        let expected: serde_yaml::Value =
            serde_yaml::from_str("{a: 2, b: {c: y, d: [{e: 2}]}}").unwrap();
        assert_eq!(value, expected);
        assert_eq!(
            problems,
            [
                "line 4: the key `e` is there twice; the last one counts",
                "line 5: the key `c` is there twice; the last one counts",
                "line 6: the key `a` is there twice; the last one counts",
            ]
        );
    }

    #[test]
    fn many_duplicates_end() {
        let mut problems = Vec::new();
        assert!(read("a: 1\n".repeat(1000).as_bytes(), &mut problems).is_ok());
        assert_eq!(problems.len(), super::MOST);
        assert!(read(b"a: [", &mut problems).is_err());
    }
}
