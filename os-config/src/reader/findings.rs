//! The results of reading beside the values: diagnostics, and for the schema the keys that readers ask for.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml::Value;

use crate::diagnostic::{Diagnostic, quoted};
use crate::reader::key_kind::KeyKind;
use crate::reader::public_keys::is_public_path;
use crate::yaml::scalar;

/// Diagnostics and keys of one document.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) list: Vec<Diagnostic>,
    /// Path of a mapping → its keys. `None` records nothing: only the schema needs them.
    pub(crate) keys: Option<BTreeMap<String, BTreeMap<&'static str, KeyKind>>>,
    /// Paths of keys that have no effect; recorded together with `keys`.
    pub(crate) without_effect: BTreeSet<String>,
    pub(crate) unknown: Vec<UnknownKey>,
    /// Whether the document is the kernel line.
    pub(crate) is_kernel_line: bool,
}

/// A key that no reader asked for.
#[derive(Debug)]
pub(crate) struct UnknownKey {
    /// The index of its diagnostic.
    pub(crate) number: usize,
    /// The path of the mapping that has it.
    pub(crate) section: String,
    pub(crate) key: String,
    /// The keys of its value.
    pub(crate) keys_below: Vec<String>,
    /// Whether its section has a key with a similar name.
    pub(crate) has_suggestion: bool,
    /// Whether it is a key of cloud-init.
    pub(crate) is_cloud_inits: bool,
}

impl Findings {
    /// Reports a value that readers leave out.
    pub(crate) fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.list.push(Diagnostic::error(path, message));
    }

    /// Reports a key that has no effect, or less than the user may expect.
    pub(crate) fn warning(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.list.push(Diagnostic::warning(path, message));
    }

    /// Reports a value of an unexpected kind. Returns `None`, for use in `or_else`.
    pub(crate) fn mismatch<T>(&mut self, path: &str, expected: &str, found: &Value) -> Option<T> {
        self.error(
            path,
            format!("expected {expected}, found {}", describe(path, found)),
        );
        None
    }

    /// Reports a single value in the place of a list; the reader accepts it.
    pub(crate) fn single_value(&mut self, path: &str, found: &Value) {
        let message = format!(
            "expected a list, found {}; taken as a list of one",
            describe(path, found)
        );
        self.warning(path, message);
    }

    /// Reports a key that has no effect on this system, and why.
    pub(crate) fn no_effect(&mut self, path: impl Into<String>, why: &str) {
        self.warning(path, format!("{why}; it has no effect"));
    }

    /// Reports a key of another system that PaddockOS does not do. `instead` says what to do; it may be empty.
    pub(crate) fn not_done(&mut self, path: impl Into<String>, instead: &str) {
        let comma = if instead.is_empty() { "" } else { "; " };
        let message = format!("PaddockOS does not do this, it has no effect{comma}{instead}");
        self.warning(path, message);
    }
}

/// A short description of a value. A message reaches consoles, logs and reports, so it shows values of public keys alone.
fn describe(path: &str, value: &Value) -> String {
    const LONGEST: usize = 40;
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Sequence(items) => format!("a list of {}", items.len()),
        Value::Mapping(_) => "keys with values".to_owned(),
        Value::Tagged(_) => "a tagged value".to_owned(),
        // A flag cannot hold a secret.
        Value::String(text)
            if !text.is_empty() && scalar::boolean(text).is_none() && !is_public_path(path) =>
        {
            "a text".to_owned()
        }
        Value::Number(_) if !is_public_path(path) => "a number".to_owned(),
        other => {
            let text = scalar::text(other).unwrap_or_default();
            let cut: String = text.chars().take(LONGEST).collect();
            let dots = if cut.len() < text.len() { "…" } else { "" };
            if matches!(other, Value::String(_)) {
                quoted(&format!("{cut}{dots}"))
            } else {
                cut
            }
        }
    }
}
