//! From an untyped YAML value to typed fields: lenient as RancherOS was, one problem per wrong value.
//!
//! Every field that is asked for is a known key; what is left over at the end is unknown.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::diagnostic::Severity;
use crate::shell_words::split_words;
use crate::suggest::suggestion;
use crate::yaml::scalar as plain;

/// Something wrong at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) severity: Severity,
}

/// Keys of cloud-init that mean something elsewhere; who wrote one should not look for a typing error.
const CLOUD_INIT: [&str; 28] = [
    "ansible",
    "apk_repos",
    "apt",
    "apt_update",
    "apt_upgrade",
    "chef",
    "disk_setup",
    "fs_setup",
    "keyboard",
    "locale",
    "manage_etc_hosts",
    "manage_resolv_conf",
    "network",
    "no_ssh_fingerprints",
    "output",
    "package_update",
    "package_upgrade",
    "packages",
    "phone_home",
    "power_state",
    "preserve_hostname",
    "puppet",
    "resolv_conf",
    "salt_minion",
    "snap",
    "ssh_import_id",
    "ssh_keys",
    "yum_repos",
];

/// A mapping being read.
pub(crate) struct Reader<'v> {
    value: &'v Value,
    path: String,
    known: BTreeMap<&'static str, KeyKind>,
    /// Whether a text is as good as a list of one, as in compose; elsewhere that is worth a warning.
    pub(crate) one_is_a_list: bool,
}

/// What is wrong with a document; and, for who wants to know, which keys there are.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) list: Vec<Finding>,
    /// Path of a mapping → its keys. Only filled in if there is something to fill.
    pub(crate) keys: Option<BTreeMap<String, BTreeMap<&'static str, KeyKind>>>,
}

impl Findings {
    pub(crate) fn push(&mut self, finding: Finding) {
        self.list.push(finding);
    }
}

/// What a key is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// Read in a way of its own.
    Any,
    /// Known, and of no effect here.
    Ignored,
    Text,
    Boolean,
    Number,
    /// Of texts.
    List,
    /// A command.
    Words,
    /// Of texts by name.
    Map,
    /// Of mappings by name.
    Entries,
    /// Of anything.
    Items,
    Section,
}

impl<'v> Reader<'v> {
    /// Begins to read `value`, which stands at `path`. Anything but a mapping is a finding, and reads as empty.
    pub(crate) fn new(value: &'v Value, path: &str, findings: &mut Findings) -> Self {
        if !matches!(value, Value::Mapping(_) | Value::Null) {
            wrong::<()>(findings, path, "keys with values", value);
        }
        Self {
            value,
            path: path.to_owned(),
            known: BTreeMap::new(),
            one_is_a_list: false,
        }
    }

    /// The value of a key, unless it is absent or null.
    pub(crate) fn raw(&mut self, key: &'static str) -> Option<&'v Value> {
        self.read_as(key, KeyKind::Any)
    }

    /// Knows a key that has no effect here; whether it is there.
    pub(crate) fn ignored(&mut self, key: &'static str) -> bool {
        self.read_as(key, KeyKind::Ignored).is_some()
    }

    fn read_as(&mut self, key: &'static str, kind: KeyKind) -> Option<&'v Value> {
        let known = self.known.entry(key).or_insert(kind);
        if *known == KeyKind::Any {
            *known = kind;
        }
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
        let value = self.read_as(key, KeyKind::Text)?;
        scalar(value).or_else(|| wrong(findings, &self.path_of(key), "a text", value))
    }

    pub(crate) fn boolean(&mut self, key: &'static str, findings: &mut Findings) -> Option<bool> {
        let value = self.read_as(key, KeyKind::Boolean)?;
        let read = match value {
            Value::Bool(value) => Some(*value),
            Value::String(text) => plain::boolean(text),
            _ => None,
        };
        read.or_else(|| wrong(findings, &self.path_of(key), "true or false", value))
    }

    pub(crate) fn number<T: TryFrom<i64>>(
        &mut self,
        key: &'static str,
        findings: &mut Findings,
    ) -> Option<T> {
        let value = self.read_as(key, KeyKind::Number)?;
        let read = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => plain::integer(text.trim()),
            _ => None,
        };
        read.and_then(|number| T::try_from(number).ok())
            .or_else(|| wrong(findings, &self.path_of(key), "a number in range", value))
    }

    /// A list of texts; a single text is a list of one.
    pub(crate) fn list(&mut self, key: &'static str, findings: &mut Findings) -> Vec<String> {
        let Some(value) = self.read_as(key, KeyKind::List) else {
            return Vec::new();
        };
        self.list_of(key, value, findings)
    }

    /// A command: a list of words, or a text that is split as a shell would.
    pub(crate) fn words(&mut self, key: &'static str, findings: &mut Findings) -> Vec<String> {
        let Some(value) = self.read_as(key, KeyKind::Words) else {
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
                Some(text) => {
                    if !self.one_is_a_list {
                        taken_as_list(findings, &self.path_of(key), value);
                    }
                    vec![text]
                }
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
        let Some(value) = self.read_as(key, KeyKind::Map) else {
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
        let Some(value) = self.read_as(key, KeyKind::Entries) else {
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
        let Some(value) = self.read_as(key, KeyKind::Items) else {
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
        let value = self.read_as(key, KeyKind::Section).unwrap_or(&NOTHING);
        Reader::new(value, &self.path_of(key), findings)
    }

    /// Ends reading: keys that nobody asked for are unknown.
    pub(crate) fn finish(self, findings: &mut Findings) {
        if let Some(keys) = &mut findings.keys {
            keys.entry(self.path.clone())
                .or_default()
                .extend(self.known.iter().map(|(key, kind)| (*key, *kind)));
        }
        let Some(entries) = self.value.as_mapping() else {
            return;
        };
        for name in entries.keys().filter_map(scalar) {
            if self.known.contains_key(name.as_str()) {
                continue;
            }
            let known: Vec<&str> = self.known.keys().copied().collect();
            let hint = match name.split_once('.') {
                Some((section, _)) if self.known.contains_key(section) => Some(format!(
                    "; in a file, what follows the dot stands on a line of its own below `{section}:`"
                )),
                _ => suggestion(&name, &known).map(|known| format!("; did you mean `{known}`?")),
            };
            let what =
                if self.path.is_empty() && CLOUD_INIT.contains(&name.replace('-', "_").as_str()) {
                    "a key of cloud-init that PaddockOS does not know"
                } else {
                    "unknown key"
                };
            findings.push(Finding {
                path: self.path_of(&name),
                message: format!("{what}, it has no effect{}", hint.unwrap_or_default()),
                severity: Severity::Warning,
            });
        }
    }
}

/// Notes that one value stands where a list belongs; it is used all the same.
pub(crate) fn taken_as_list(findings: &mut Findings, path: &str, value: &Value) {
    findings.push(Finding {
        path: path.to_owned(),
        message: format!(
            "expected a list, found {}; taken as a list of one",
            describe(value)
        ),
        severity: Severity::Warning,
    });
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
