//! Texts and defaults of keys, from `defaults/os-config.yml`: the comment above a key is its text. A comment
//! `key: value` with a known key is a key without a default.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::defaults::DEFAULTS;
use crate::reader::key_kind::KeyKind;
use crate::schema::sections::sections;
use crate::yaml::path::key_path;

/// Texts and defaults by the paths of keys.
pub(crate) struct Documentation {
    texts: BTreeMap<String, String>,
    defaults: Value,
}

impl Documentation {
    pub(crate) fn from_defaults() -> Self {
        let known: Vec<String> = sections()
            .iter()
            .flat_map(|section| section.keys.keys().map(|key| key_path(&section.path, key)))
            .collect();
        Self {
            texts: texts(DEFAULTS, &|path| known.iter().any(|known| known == path)),
            defaults: serde_yaml::from_str(DEFAULTS).unwrap_or_default(),
        }
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// The default of a key; `None` for a section, because only its keys have defaults.
    pub(crate) fn default(&self, path: &str, kind: KeyKind) -> Option<Value> {
        let mut value = &self.defaults;
        for key in path.split('.') {
            value = value.get(key)?;
        }
        let is_section = value.is_mapping() && !matches!(kind, KeyKind::Map | KeyKind::Entries);
        (!is_section && !value.is_null()).then(|| value.clone())
    }
}

fn texts(defaults: &str, is_key: &dyn Fn(&str) -> bool) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let mut comment: Vec<String> = Vec::new();
    // Indentation and name of the keys above the current line.
    let mut above: Vec<(usize, String)> = Vec::new();
    for line in defaults.lines() {
        let is_comment = line.trim_start().starts_with('#');
        if line.trim().is_empty() {
            comment.clear();
            continue;
        }
        let bare = without_mark(line);
        let indent = bare.len() - bare.trim_start().len();
        let content = bare.trim();
        let key = content.split_once(':').map(|(key, _)| key);
        let key = key.filter(|key| {
            key.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        });
        let path = key.map(|key| {
            above.retain(|(outer, _)| *outer < indent);
            let names = above.iter().map(|(_, name)| name.as_str()).chain([key]);
            names.collect::<Vec<_>>().join(".")
        });
        match (key, path) {
            (Some(key), Some(path)) if is_key(&path) => {
                if !comment.is_empty() {
                    texts.entry(path).or_insert_with(|| comment.join(" "));
                }
                comment.clear();
                above.push((indent, key.to_owned()));
            }
            // A key in a comment has its text in a comment of that comment.
            _ if is_comment => comment.push(content.trim_start_matches(['#', ' ']).to_owned()),
            _ => comment.clear(),
        }
    }
    texts
}

/// A commented line without its `#`, at the same indentation.
fn without_mark(line: &str) -> String {
    match line.split_once('#') {
        Some((before, after)) if before.trim().is_empty() => {
            format!("{before}{}", after.strip_prefix(' ').unwrap_or(after))
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::texts;

    #[test]
    fn comments_belong_to_the_key_below() {
        let text = "# About the file.\n\n# One\n# and two: three.\n# a: 5\nb:\n  # Of c.\n  c: 1\n  # d:\n  #   # Of e.\n  #   e: 1\n\
            # Of f.\n\nf: 1\n";
        let known = ["a", "b", "b.c", "b.d", "b.d.e", "f"];
        let found = texts(text, &|path| known.contains(&path));
        let found: Vec<String> = found
            .iter()
            .map(|(path, text)| format!("{path}={text}"))
            .collect();
        assert_eq!(found, ["a=One and two: three.", "b.c=Of c.", "b.d.e=Of e."]);
    }
}
