//! From an untyped YAML value to typed fields: lenient as RancherOS was, one problem per wrong value.
//!
//! Every field that is asked for is a known key; what is left over at the end is unknown.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::Value;

use crate::problem::Severity;

/// Something wrong at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) severity: Severity,
}

/// A mapping being read.
pub(crate) struct Reader<'v> {
    value: &'v Value,
    path: String,
    known: BTreeSet<&'static str>,
}

pub(crate) type Findings = Vec<Finding>;

impl<'v> Reader<'v> {
    /// Begins to read `value`, which stands at `path`. Anything but a mapping is a finding, and reads as empty.
    pub(crate) fn new(value: &'v Value, path: &str, findings: &mut Findings) -> Self {
        if !matches!(value, Value::Mapping(_) | Value::Null) {
            wrong::<()>(findings, path, "keys with values", value);
        }
        Self {
            value,
            path: path.to_owned(),
            known: BTreeSet::new(),
        }
    }

    /// The value of a key, unless it is absent or null.
    pub(crate) fn raw(&mut self, key: &'static str) -> Option<&'v Value> {
        self.known.insert(key);
        self.value
            .as_mapping()?
            .get(key)
            .filter(|value| !value.is_null())
    }

    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(crate) fn text(&mut self, key: &'static str, findings: &mut Findings) -> Option<String> {
        let value = self.raw(key)?;
        scalar(value).or_else(|| wrong(findings, &self.path_of(key), "a text", value))
    }

    pub(crate) fn boolean(&mut self, key: &'static str, findings: &mut Findings) -> Option<bool> {
        let value = self.raw(key)?;
        let read = match value {
            Value::Bool(value) => Some(*value),
            Value::String(text) => yaml11_bool(text),
            _ => None,
        };
        read.or_else(|| wrong(findings, &self.path_of(key), "true or false", value))
    }

    pub(crate) fn number<T: TryFrom<i64>>(
        &mut self,
        key: &'static str,
        findings: &mut Findings,
    ) -> Option<T> {
        let value = self.raw(key)?;
        let read = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        read.and_then(|number| T::try_from(number).ok())
            .or_else(|| wrong(findings, &self.path_of(key), "a number in range", value))
    }

    /// A list of texts; a single text is a list of one.
    pub(crate) fn list(&mut self, key: &'static str, findings: &mut Findings) -> Vec<String> {
        let Some(value) = self.raw(key) else {
            return Vec::new();
        };
        self.list_of(key, value, findings)
    }

    /// A command: a list of words, or a text that is split as a shell would.
    pub(crate) fn words(&mut self, key: &'static str, findings: &mut Findings) -> Vec<String> {
        let Some(value) = self.raw(key) else {
            return Vec::new();
        };
        match value {
            Value::String(text) => split_words(text).unwrap_or_else(|| {
                wrong::<()>(
                    findings,
                    &self.path_of(key),
                    "quotes that are closed",
                    value,
                );
                Vec::new()
            }),
            _ => self.list_of(key, value, findings),
        }
    }

    fn list_of(&self, key: &str, value: &Value, findings: &mut Findings) -> Vec<String> {
        match value {
            Value::Sequence(items) => items
                .iter()
                .enumerate()
                .filter_map(|(i, item)| {
                    scalar(item).or_else(|| {
                        wrong(
                            findings,
                            &format!("{}[{i}]", self.path_of(key)),
                            "a text",
                            item,
                        )
                    })
                })
                .collect(),
            _ => match scalar(value) {
                Some(text) => vec![text],
                None => wrong(findings, &self.path_of(key), "a list of texts", value)
                    .unwrap_or_default(),
            },
        }
    }

    /// Keys with text values. A list of `KEY=value` (compose's other spelling) is taken too.
    pub(crate) fn map(
        &mut self,
        key: &'static str,
        findings: &mut Findings,
    ) -> BTreeMap<String, String> {
        let Some(value) = self.raw(key) else {
            return BTreeMap::new();
        };
        let path = self.path_of(key);
        match value {
            Value::Mapping(entries) => entries
                .iter()
                .filter_map(|(name, value)| {
                    let name = scalar(name)?;
                    let text = if value.is_null() {
                        Some(String::new())
                    } else {
                        scalar(value)
                    };
                    let text = text
                        .or_else(|| wrong(findings, &format!("{path}.{name}"), "a text", value))?;
                    Some((name, text))
                })
                .collect(),
            Value::Sequence(items) => items
                .iter()
                .enumerate()
                .filter_map(|(i, item)| {
                    let text = scalar(item)
                        .or_else(|| wrong(findings, &format!("{path}[{i}]"), "KEY=value", item))?;
                    let (name, value) = text.split_once('=').unwrap_or((&text, ""));
                    Some((name.to_owned(), value.to_owned()))
                })
                .collect(),
            _ => wrong(findings, &path, "keys with values", value).unwrap_or_default(),
        }
    }

    /// The entries of a mapping whose keys are names.
    pub(crate) fn entries(
        &mut self,
        key: &'static str,
        findings: &mut Findings,
    ) -> Vec<(String, &'v Value)> {
        let Some(value) = self.raw(key) else {
            return Vec::new();
        };
        match value {
            Value::Mapping(entries) => entries
                .iter()
                .filter_map(|(name, value)| Some((scalar(name)?, value)))
                .collect(),
            _ => wrong(findings, &self.path_of(key), "keys with values", value).unwrap_or_default(),
        }
    }

    /// The items of a list.
    pub(crate) fn items(&mut self, key: &'static str, findings: &mut Findings) -> Vec<&'v Value> {
        let Some(value) = self.raw(key) else {
            return Vec::new();
        };
        match value {
            Value::Sequence(items) => items.iter().collect(),
            _ => wrong(findings, &self.path_of(key), "a list", value).unwrap_or_default(),
        }
    }

    /// A mapping below this one.
    pub(crate) fn below(&mut self, key: &'static str, findings: &mut Findings) -> Reader<'v> {
        static NOTHING: Value = Value::Null;
        let value = self.raw(key).unwrap_or(&NOTHING);
        Reader::new(value, &self.path_of(key), findings)
    }

    /// Ends reading: keys that nobody asked for are unknown.
    pub(crate) fn finish(self, findings: &mut Findings) {
        let Some(entries) = self.value.as_mapping() else {
            return;
        };
        for name in entries.keys().filter_map(scalar) {
            if self.known.contains(name.as_str()) {
                continue;
            }
            let hint =
                nearest(&name, &self.known).map(|known| format!("; did you mean `{known}`?"));
            findings.push(Finding {
                path: self.path_of(&name),
                message: format!("unknown key, it has no effect{}", hint.unwrap_or_default()),
                severity: Severity::Warning,
            });
        }
    }
}

/// Notes that `value` is not what was expected. Returns `None`, for use in `or_else`.
pub(crate) fn wrong<T>(
    findings: &mut Findings,
    path: &str,
    expected: &str,
    value: &Value,
) -> Option<T> {
    findings.push(Finding {
        path: path.to_owned(),
        message: format!("expected {expected}, found {}", describe(value)),
        severity: Severity::Error,
    });
    None
}

/// A scalar as the text that it was written as, near enough.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn describe(value: &Value) -> String {
    const LONGEST: usize = 40;
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Sequence(items) => format!("a list of {}", items.len()),
        Value::Mapping(_) => "keys with values".to_owned(),
        Value::Tagged(_) => "a tagged value".to_owned(),
        other => {
            let text = scalar(other).unwrap_or_default();
            let cut: String = text.chars().take(LONGEST).collect();
            let dots = if cut.len() < text.len() { "…" } else { "" };
            if matches!(other, Value::String(_)) {
                format!("\"{}{dots}\"", cut.escape_debug())
            } else {
                cut
            }
        }
    }
}

/// The words that YAML 1.1, for which cloud-configs are written, reads as a boolean.
pub(crate) fn yaml11_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

/// Splits as a shell does, with both kinds of quotes and backslash; `None` if a quote is not closed.
pub(crate) fn split_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some('\''), letter) => word.get_or_insert_default().push(letter),
            (_, '\\') => word.get_or_insert_default().push(letters.next()?),
            (Some(_), letter) => word.get_or_insert_default().push(letter),
            (None, '"' | '\'') => {
                word.get_or_insert_default();
                quote = Some(letter);
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (None, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// The known key that is nearest to `name`, if it is near at all.
fn nearest(name: &str, known: &BTreeSet<&'static str>) -> Option<&'static str> {
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    known
        .iter()
        .map(|candidate| (distance(name, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(x != *y))
                .min(left + 1)
                .min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{distance, split_words};

    #[test]
    fn words() {
        for (text, expected) in [
            ("a  b", Some(vec!["a", "b"])),
            ("sh -c 'a \"b\" \\'", Some(vec!["sh", "-c", "a \"b\" \\"])),
            ("a\\ b \"c\\\"d\" ''", Some(vec!["a b", "c\"d", ""])),
            ("'open", None),
            ("", Some(vec![])),
        ] {
            assert_eq!(
                split_words(text),
                expected.map(|w| w.into_iter().map(str::to_owned).collect()),
                "{text}"
            );
        }
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("hostname", "hostname", 0),
            ("hostnam", "hostname", 1),
            ("kitten", "sitting", 3),
            ("", "ab", 2),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
