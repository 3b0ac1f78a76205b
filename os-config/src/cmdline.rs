//! The kernel command line as a layer of configuration: `rancher.*` and `cc.*` words.

use serde_yaml::{Mapping, Value};

use crate::dotted;

/// Reads the line into a configuration value; words that do not fit are returned beside it.
pub fn parse(line: &str) -> (Value, Vec<String>) {
    let mut value = Value::Mapping(Mapping::new());
    let mut refused = Vec::new();
    // Quotes may be escaped for the boot loader.
    let line = line.replace("\\\"", "\"").replace("\\'", "'");
    for word in split(&line) {
        let (key, text) = match word.split_once('=') {
            Some((key, text)) => (key, typed_value(text)),
            None => (word.as_str(), Value::Bool(true)),
        };
        let key = if let Some(top) = key.strip_prefix("cc.") {
            top
        } else if key.starts_with("rancher.") {
            key
        } else {
            continue;
        };
        // Read from the line itself, where it may stand several times.
        if key == "rancher.autologin" {
            continue;
        }
        if let Err(error) = dotted::set(&mut value, key, text) {
            refused.push(format!("{word}: {error}"));
        }
    }
    (value, refused)
}

/// One value: YAML (numbers, booleans, `[lists]`), or else the text itself.
///
/// Inline mappings cannot be given, as in RancherOS: a colon is part of a text.
pub fn typed_value(text: &str) -> Value {
    const COLON: &str = "\u{E000}";
    const QUESTION: &str = "\u{E001}";
    const NEWLINE: &str = "\u{E002}";
    let guarded = text
        .replace(':', COLON)
        .replace('?', QUESTION)
        .replace('\n', NEWLINE);
    // A password such as 0123 or 1e3 is not a number that anybody meant.
    let read: Option<Value> = serde_yaml::from_str(&guarded).ok();
    match read {
        Some(Value::Null) | None => Value::String(text.to_owned()),
        Some(Value::Mapping(_) | Value::Tagged(_)) => Value::String(text.to_owned()),
        Some(value) => unguard(value, &|t: String| {
            t.replace(COLON, ":")
                .replace(QUESTION, "?")
                .replace(NEWLINE, "\n")
        }),
    }
}

fn unguard(value: Value, back: &dyn Fn(String) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(back(text)),
        Value::Sequence(items) => {
            Value::Sequence(items.into_iter().map(|item| unguard(item, back)).collect())
        }
        other => other,
    }
}

/// Splits at blanks outside of quotes and of `[…]`; quotes around a value are taken off.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut depth = 0_usize;
    for letter in line.chars() {
        match letter {
            '"' | '\'' if depth == 0 => match quote {
                Some(open) if open == letter => quote = None,
                Some(_) => word.push(letter),
                None => quote = Some(letter),
            },
            '[' if quote.is_none() => {
                depth += 1;
                word.push(letter);
            }
            ']' if quote.is_none() => {
                depth = depth.saturating_sub(1);
                word.push(letter);
            }
            blank if blank.is_whitespace() && quote.is_none() && depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::{parse, typed_value};
    use serde_yaml::Value;

    #[test]
    fn values_are_typed() {
        for (id, text, expected) in [
            ("CV-01", "ab", "\"ab\""),
            ("CV-02", "a\nb", "\"a\\nb\""),
            ("CV-05", "a,b", "\"a,b\""),
            ("CV-06", "a,", "\"a,\""),
            ("CV-07", ",b", "\",b\""),
            ("CV-08", "10", "10"),
            ("CV-09", "true", "true"),
            ("CV-11", "[a]", "[a]"),
            ("CV-14", "[\" a, \"]", "[\" a, \"]"),
            ("CV-21", "[a,b]", "[a, b]"),
            ("CV-23", "[\"a,\",b]", "[\"a,\", b]"),
            (
                "url",
                "http://1.2.3.4:80/?x=1",
                "\"http://1.2.3.4:80/?x=1\"",
            ),
        ] {
            let expected: Value = serde_yaml::from_str(expected).unwrap();
            assert_eq!(typed_value(text), expected, "{id}");
        }
    }

    #[test]
    fn lines() {
        for (line, expected) in [
            (
                "quiet rancher.debug console=tty0",
                "{rancher: {debug: true}}",
            ),
            (
                "rancher.state.dev=LABEL=RANCHER_STATE rancher.state.wait",
                "{rancher: {state: {dev: LABEL=RANCHER_STATE, wait: true}}}",
            ),
            (
                "rancher.x=[/dev/sda, /dev/vda] cc.hostname=box",
                "{rancher: {x: [/dev/sda, /dev/vda]}, hostname: box}",
            ),
            (
                "rancher.password='a b' rancher.autologin=tty1",
                "{rancher: {password: a b}}",
            ),
            ("rancherx.a=1 cc", "{}"),
        ] {
            let expected: Value = serde_yaml::from_str(expected).unwrap();
            assert_eq!(parse(line).0, expected, "{line}");
        }
        assert_eq!(
            parse("rancher.debug rancher.debug.x=1 rancher..y=2")
                .1
                .len(),
            2
        );
    }
}
