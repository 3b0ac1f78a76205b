//! The meaning of plain YAML scalars.

use serde_yaml::Value;

/// How to read a plain scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// YAML 1.2 core schema without octals: `yes` and `0644` are text. For files.
    Core,
    /// YAML 1.1 as RancherOS read single values: `yes` is true, `0644` is 420. For the kernel line.
    Yaml11,
    /// Null is null, and other scalars keep their text. For typed fields, which convert it themselves.
    Text,
}

pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// A boolean in any of YAML 1.1's spellings.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(false)
        }
        _ => None,
    }
}

/// An integer: decimal, `0x`, `0o`, `0b`, and with a leading 0 octal; `_` may group digits.
pub(crate) fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = digits.replace('_', "");
    let (radix, digits) = if let Some(rest) = digits.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = digits.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = digits.strip_prefix("0b") {
        (2, rest)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, digits.get(1..)?)
    } else {
        (10, digits.as_str())
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

fn float(text: &str) -> Option<f64> {
    let digits = text.trim_start_matches(['+', '-']);
    let looks_right = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    if looks_right && text.len() - digits.len() <= 1 {
        text.parse().ok()
    } else {
        None
    }
}

/// A scalar as text; numbers may be spelt another way than in the file. `None` for any other value.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The value of a plain scalar.
pub(crate) fn value(text: &str, dialect: Dialect) -> Value {
    let is_octal = {
        let digits = text.trim_start_matches(['+', '-']);
        digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if is_null(text) {
        return Value::Null;
    }
    if dialect == Dialect::Text {
        return Value::String(text.to_owned());
    }
    let old = dialect == Dialect::Yaml11;
    if let Some(value) = boolean(text)
        .filter(|_| old || matches!(text.to_ascii_lowercase().as_str(), "true" | "false"))
    {
        return Value::Bool(value);
    }
    if (old || !(is_octal || text.contains('_')))
        && let Some(value) = integer(text)
    {
        return Value::Number(value.into());
    }
    match float(text) {
        Some(value) if old || !is_octal => Value::Number(value.into()),
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect, integer, value};
    use serde_yaml::Value;

    #[test]
    fn files_keep_modes_and_words() {
        for text in [
            "0644",
            "yes",
            "off",
            "1_000",
            "1:30",
            "2018-01-01",
            "0755",
            "-",
            "+",
            ".",
            "e1",
            "--1",
            "0x",
        ] {
            assert_eq!(
                value(text, Dialect::Core),
                Value::String(text.into()),
                "{text}"
            );
        }
        for text in ["true", "5", "-3", "0x1f", "1.5", "1e3", "~", "null"] {
            assert!(!value(text, Dialect::Core).is_string(), "{text}");
        }
    }

    #[test]
    fn integers_in_every_base() {
        for (text, expected) in [
            ("0644", Some(420)),
            ("0x1f", Some(31)),
            ("0o17", Some(15)),
            ("1_000", Some(1000)),
            ("-3", Some(-3)),
            ("0", Some(0)),
            ("08", None),
            ("0x-1", None),
            ("99999999999999999999", None),
            ("", None),
        ] {
            assert_eq!(integer(text), expected, "{text}");
        }
    }
}
