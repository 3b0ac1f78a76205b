//! Reads untyped YAML values into typed fields: as lenient as RancherOS was, with a diagnostic for each wrong value.
//!
//! A key is known if a caller asked for it. `finish` reports the other keys as unknown.

mod cloud_init_keys;
pub(crate) mod findings;
pub(crate) mod key_kind;
mod no_effect;
pub(crate) mod public_keys;
pub(crate) mod suggest;

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::reader::findings::{Findings, UnknownKey};
use crate::reader::key_kind::KeyKind;
use crate::reader::no_effect::NoEffect;
use crate::reader::suggest::suggestion;
use crate::yaml::path::key_path;
use crate::yaml::scalar;

/// Reads one mapping.
pub(crate) struct Reader<'v> {
    value: &'v Value,
    path: String,
    known: BTreeMap<&'static str, KeyKind>,
    without_effect: BTreeMap<&'static str, NoEffect>,
    /// Whether a single text may stand for a list, as in compose. Elsewhere it gives a warning.
    pub(crate) allows_single_values: bool,
    /// The place of settings that have no key here, for messages about unknown keys; empty if there is none.
    pub(crate) elsewhere: &'static str,
}

impl<'v> Reader<'v> {
    /// Reads `value`, which stands at `path`. Another kind than a mapping is reported and counts as empty.
    pub(crate) fn new(value: &'v Value, path: &str, findings: &mut Findings) -> Self {
        if !matches!(value, Value::Mapping(_) | Value::Null) {
            findings.mismatch::<()>(path, "keys with values", value);
        }
        Self {
            value,
            path: path.to_owned(),
            known: BTreeMap::new(),
            without_effect: BTreeMap::new(),
            allows_single_values: false,
            elsewhere: "",
        }
    }

    /// The value of a key; `None` if it is absent or null.
    pub(crate) fn value(&mut self, key: &'static str) -> Option<&'v Value> {
        self.read_as(key, KeyKind::Any)
    }

    /// The value of a key that may be a list, a text, or keys with values.
    pub(crate) fn forms(&mut self, key: &'static str) -> Option<&'v Value> {
        self.read_as(key, KeyKind::Forms)
    }

    /// The value of a key without effect, which counts as known. The caller warns of it.
    pub(crate) fn ignored(&mut self, key: &'static str) -> Option<&'v Value> {
        self.read_as(key, KeyKind::Ignored)
    }

    /// Counts a key as known that asks for what holds in any case, so that no program has to read it.
    pub(crate) fn met(&mut self, key: &'static str) {
        self.read_as(key, KeyKind::Met);
    }

    /// Declares keys that are read and have no effect yet. `finish` warns of each that a document sets.
    pub(crate) fn later(&mut self, keys: &[&'static str]) {
        self.without_effect
            .extend(keys.iter().map(|key| (*key, NoEffect::LATER)));
    }

    /// Accepts RancherOS's keys for what does not exist here. `finish` warns of each that a document sets.
    pub(crate) fn legacy(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.ignored(key);
            self.without_effect.insert(key, NoEffect::LEGACY);
        }
    }

    /// Accepts a key of RancherOS that has no effect for this reason. `finish` warns of it if a document sets it.
    pub(crate) fn superfluous(&mut self, key: &'static str, reason: &'static str) {
        self.ignored(key);
        self.without_effect
            .insert(key, NoEffect::superfluous(reason));
    }

    /// Declares keys that are needed before any file can be read. `finish` warns of each that a file sets.
    pub(crate) fn early(&mut self, keys: &[&'static str]) {
        self.without_effect
            .extend(keys.iter().map(|key| (*key, NoEffect::EARLY)));
    }

    /// Accepts a key for what is done in another way, as `reason` says. `finish` warns of every value, `false` included.
    pub(crate) fn obsolete(&mut self, key: &'static str, reason: &'static str) {
        self.ignored(key);
        self.without_effect.insert(key, NoEffect::replaced(reason));
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
        key_path(&self.path, key)
    }

    pub(crate) fn text(&mut self, key: &'static str, findings: &mut Findings) -> Option<String> {
        let value = self.read_as(key, KeyKind::Text)?;
        scalar::text(value).or_else(|| findings.mismatch(&self.path_of(key), "a text", value))
    }

    pub(crate) fn boolean(&mut self, key: &'static str, findings: &mut Findings) -> Option<bool> {
        let value = self.read_as(key, KeyKind::Boolean)?;
        let read = match value {
            Value::Bool(value) => Some(*value),
            Value::String(text) => scalar::boolean(text),
            _ => None,
        };
        read.or_else(|| findings.mismatch(&self.path_of(key), "true or false", value))
    }

    pub(crate) fn number<T: TryFrom<i64>>(
        &mut self,
        key: &'static str,
        findings: &mut Findings,
    ) -> Option<T> {
        let value = self.read_as(key, KeyKind::Number)?;
        let read = match value {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => scalar::integer(text.trim()),
            _ => None,
        };
        read.and_then(|number| T::try_from(number).ok())
            .or_else(|| findings.mismatch(&self.path_of(key), &expected_number::<T>(), value))
    }

    /// A list of texts; a single text counts as a list.
    pub(crate) fn list(&mut self, key: &'static str, findings: &mut Findings) -> Vec<String> {
        let Some(value) = self.read_as(key, KeyKind::List) else {
            return Vec::new();
        };
        self.list_of(key, value, findings)
    }

    /// A command: a list of words, or a text that is split as in a shell.
    pub(crate) fn command(&mut self, key: &'static str, findings: &mut Findings) -> Vec<String> {
        let Some(value) = self.read_as(key, KeyKind::Command) else {
            return Vec::new();
        };
        match value {
            Value::String(text) => shell_words::split(text).unwrap_or_else(|_| {
                findings.mismatch::<()>(&self.path_of(key), "quotes that are closed", value);
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
                    scalar::text(item).or_else(|| {
                        findings.mismatch(&format!("{}[{i}]", self.path_of(key)), "a text", item)
                    })
                })
                .collect(),
            _ => match scalar::text(value) {
                Some(text) => {
                    if !self.allows_single_values {
                        findings.single_value(&self.path_of(key), value);
                    }
                    vec![text]
                }
                None => findings
                    .mismatch(&self.path_of(key), "a list of texts", value)
                    .unwrap_or_default(),
            },
        }
    }

    /// Keys with texts, or compose's other spelling: a list of `KEY=value`.
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
                    let name = scalar::text(name)?;
                    let text = if value.is_null() {
                        Some(String::new())
                    } else {
                        scalar::text(value)
                    };
                    let text = text.or_else(|| {
                        findings.mismatch(&format!("{path}.{name}"), "a text", value)
                    })?;
                    Some((name, text))
                })
                .collect(),
            Value::Sequence(items) => items
                .iter()
                .enumerate()
                .filter_map(|(i, item)| {
                    let text = scalar::text(item).or_else(|| {
                        findings.mismatch(&format!("{path}[{i}]"), "KEY=value", item)
                    })?;
                    let (name, value) = text.split_once('=').unwrap_or((&text, ""));
                    Some((name.to_owned(), value.to_owned()))
                })
                .collect(),
            _ => findings
                .mismatch(&path, "keys with values", value)
                .unwrap_or_default(),
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
                .filter_map(|(name, value)| Some((scalar::text(name)?, value)))
                .collect(),
            _ => findings
                .mismatch(&self.path_of(key), "keys with values", value)
                .unwrap_or_default(),
        }
    }

    /// The items of a list.
    pub(crate) fn items(&mut self, key: &'static str, findings: &mut Findings) -> Vec<&'v Value> {
        let Some(value) = self.read_as(key, KeyKind::Items) else {
            return Vec::new();
        };
        match value {
            Value::Sequence(items) => items.iter().collect(),
            _ => findings
                .mismatch(&self.path_of(key), "a list", value)
                .unwrap_or_default(),
        }
    }

    /// A reader of the mapping at a key.
    pub(crate) fn section(&mut self, key: &'static str, findings: &mut Findings) -> Reader<'v> {
        static NOTHING: Value = Value::Null;
        let value = self.read_as(key, KeyKind::Section).unwrap_or(&NOTHING);
        Reader::new(value, &self.path_of(key), findings)
    }

    /// Ends reading, and reports keys that no caller asked for.
    pub(crate) fn finish(self, findings: &mut Findings) {
        if let Some(keys) = &mut findings.keys {
            keys.entry(self.path.clone())
                .or_default()
                .extend(self.known.iter().map(|(key, kind)| (*key, *kind)));
            let paths = self
                .without_effect
                .iter()
                .filter(|(_, no_effect)| !no_effect.counts_on_kernel_line)
                .map(|(key, _)| key_path(&self.path, key));
            findings.without_effect.extend(paths);
        }
        let Some(entries) = self.value.as_mapping() else {
            return;
        };
        for (name, value) in entries
            .iter()
            .filter_map(|(name, value)| Some((scalar::text(name)?, value)))
        {
            let path = self.path_of(&name);
            if let Some(no_effect) = self.without_effect.get(name.as_str())
                && !(findings.is_kernel_line && no_effect.counts_on_kernel_line)
                && !no_effect.is_default(&path, value)
            {
                findings.no_effect(path, no_effect.reason);
            }
            if self.known.contains_key(name.as_str()) {
                continue;
            }
            self.report_unknown(name, value, findings);
        }
    }

    fn report_unknown(&self, name: String, value: &Value, findings: &mut Findings) {
        let known: Vec<&str> = self.known.keys().copied().collect();
        let of_others = cloud_init_keys::instead(&name).filter(|_| self.path.is_empty());
        let similar = suggestion(&name, &known).filter(|_| of_others.is_none());
        let below = value.as_mapping().into_iter().flatten();
        findings.unknown.push(UnknownKey {
            number: findings.list.len(),
            section: self.path.clone(),
            keys_below: below.filter_map(|(key, _)| scalar::text(key)).collect(),
            has_suggestion: similar.is_some(),
            is_cloud_inits: of_others.is_some(),
            key: name.clone(),
        });
        let path = self.path_of(&name);
        if let Some(instead) = of_others {
            findings.not_done(path, instead);
            return;
        }
        let hint = match name.split_once('.') {
            Some((section, _)) if self.known.contains_key(section) => format!(
                "; in a file, what follows the dot stands on a line of its own below `{section}:`"
            ),
            _ => match (similar, self.elsewhere) {
                (Some(known), _) => format!("; did you mean `{known}`?"),
                (None, "") => String::new(),
                (None, elsewhere) => format!("; {elsewhere}"),
            },
        };
        findings.warning(path, format!("unknown key, it has no effect{hint}"));
    }
}

/// What is expected of a number that a `T` holds.
fn expected_number<T: TryFrom<i64>>() -> String {
    let fits = |number: &i64| T::try_from(*number).is_ok();
    let limits = [u32::MAX.into(), i32::MAX.into(), u16::MAX.into()];
    match limits.iter().find(|limit| fits(limit)) {
        _ if fits(&-1) => "a number".to_owned(),
        Some(limit) if !fits(&i64::MAX) => format!("a number from 0 to {limit}"),
        _ => "a number from 0".to_owned(),
    }
}
