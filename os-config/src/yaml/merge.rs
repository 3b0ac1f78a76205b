//! Merges plain values for `ros config merge`: mappings merge key by key; every other value of the later layer, lists
//! included, replaces the earlier value (RancherOS's rule). Loading merges trees instead: `Node::merge`.

use serde_yaml::Value;

/// Merges `over` into `under`. A null in `over` replaces no value.
pub fn merge(under: Value, over: Value) -> Value {
    match (under, over) {
        (Value::Mapping(mut under), Value::Mapping(over)) => {
            for (key, value) in over {
                let merged = match under.remove(&key) {
                    Some(before) => merge(before, value),
                    None => value,
                };
                under.insert(key, merged);
            }
            Value::Mapping(under)
        }
        (under, Value::Null) => under,
        (_, over) => over,
    }
}

#[cfg(test)]
mod tests {
    use super::merge;

    #[test]
    fn layers() {
        for (under, over, expected) in [
            (
                "{a: 1, b: {c: 2, d: 3}}",
                "{b: {c: 4}, e: 5}",
                "{a: 1, b: {c: 4, d: 3}, e: 5}",
            ),
            ("{a: [1, 2]}", "{a: [3]}", "{a: [3]}"),
            ("{a: {b: 1}}", "{a: text}", "{a: text}"),
            ("{a: 1}", "{a: null}", "{a: 1}"),
            ("{a: 1}", "{}", "{a: 1}"),
            ("null", "{a: 1}", "{a: 1}"),
        ] {
            let read = |text| serde_yaml::from_str(text).unwrap();
            assert_eq!(
                merge(read(under), read(over)),
                read(expected),
                "{under} + {over}"
            );
        }
    }
}
