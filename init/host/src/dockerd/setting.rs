//! A setting of dockerd: a flag of its command line or a key of its file, by the flag's name.

use std::fmt;

use serde_json::Value;

/// The short flags, with their long names. dockerd no longer knows the last; RancherOS's documents have it.
const SHORT: [(char, &str); 8] = [
    ('H', "host"),
    ('D', "debug"),
    ('l', "log-level"),
    ('G', "group"),
    ('b', "bridge"),
    ('s', "storage-driver"),
    ('p', "pidfile"),
    ('g', "data-root"),
];

/// The keys of daemon.json whose flags have another name.
const FILE_KEYS: [(&str, &str); 16] = [
    ("authorization-plugins", "authorization-plugin"),
    ("cdi-spec-dirs", "cdi-spec-dir"),
    ("default-address-pools", "default-address-pool"),
    ("default-network-opts", "default-network-opt"),
    ("default-ulimits", "default-ulimit"),
    ("dns-opts", "dns-opt"),
    ("exec-opts", "exec-opt"),
    ("graph", "data-root"),
    ("hosts", "host"),
    ("insecure-registries", "insecure-registry"),
    ("labels", "label"),
    ("log-opts", "log-opt"),
    ("node-generic-resources", "node-generic-resource"),
    ("registry-mirrors", "registry-mirror"),
    ("runtimes", "add-runtime"),
    ("storage-opts", "storage-opt"),
];

/// The flag that sets the same as a key of daemon.json. The older names in that table are still keys of dockerd's
/// command line.
pub(super) fn flag_of(key: &str) -> &str {
    FILE_KEYS
        .iter()
        .find(|(known, _)| *known == key)
        .map_or(key, |(_, flag)| flag)
}

/// Where a setting stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The key of the configuration, or the path of a file.
    pub place: String,
    /// The word of the key's list, or the key of the file; `None` for the whole place.
    pub part: Option<String>,
}

impl Origin {
    pub(super) fn whole(place: impl Into<String>) -> Self {
        let place = place.into();
        Self { place, part: None }
    }

    pub(super) fn part(place: &str, part: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            part: Some(part.into()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Some(part) => write!(f, "{}: {part}", self.place),
            None => f.write_str(&self.place),
        }
    }
}

/// A flag of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flag {
    /// The long name without hyphens; empty for a word that is no flag.
    pub(super) name: String,
    /// `None` for a flag alone, which means `true`.
    pub(super) value: Option<String>,
    /// `None` for a default of the image.
    pub(super) origin: Option<Origin>,
}

impl Flag {
    /// The word of the command line.
    pub(super) fn word(&self) -> String {
        match (&self.value, self.name.as_str()) {
            (Some(value), "") => value.clone(),
            (Some(value), name) => format!("--{name}={value}"),
            (None, name) => format!("--{name}"),
        }
    }

    /// The value as a text; a flag alone is `true`.
    pub(super) fn text(&self) -> &str {
        self.value.as_deref().unwrap_or("true")
    }
}

/// Reads words of a command line. Every flag gets the origin that `origin` finds for it.
pub(super) fn read_words(words: &[String], origin: impl Fn(&Flag) -> Option<Origin>) -> Vec<Flag> {
    let mut words = words.iter().peekable();
    let mut flags = Vec::new();
    while let Some(word) = words.next() {
        let (name, mut value) = split(word);
        let takes_next = !name.is_empty() && value.is_none();
        if takes_next && let Some(next) = words.next_if(|next| !next.starts_with('-')) {
            value = Some(next.clone());
        }
        let flag = Flag {
            name,
            value,
            origin: None,
        };
        let origin = origin(&flag);
        flags.push(Flag { origin, ..flag });
    }
    flags
}

/// The name and the value of a word.
fn split(word: &str) -> (String, Option<String>) {
    if let Some(long) = word.strip_prefix("--") {
        return match long.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (long.to_owned(), None),
        };
    }
    let mut letters = word.chars();
    let short = letters.next().filter(|first| *first == '-');
    let letter = short.and_then(|_| letters.next());
    let known = letter.and_then(|letter| SHORT.iter().find(|(short, _)| *short == letter));
    match known {
        Some((_, name)) => {
            let rest = letters.as_str();
            let value = rest.strip_prefix('=').unwrap_or(rest);
            let value = (!value.is_empty()).then(|| value.to_owned());
            ((*name).to_owned(), value)
        }
        None => (String::new(), Some(word.to_owned())),
    }
}

/// A value of daemon.json as the texts that flags would have.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| match value {
                Value::String(text) => format!("{key}={text}"),
                other => format!("{key}={other}"),
            })
            .collect(),
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::read_words;

    #[test]
    fn words_of_a_command_line() {
        for (words, expected) in [
            ("--debug --bip=10.1.0.1/16", "--debug --bip=10.1.0.1/16"),
            ("--bip 10.1.0.1/16 -D", "--bip=10.1.0.1/16 --debug"),
            (
                "-H tcp://0.0.0.0:2375 -H=fd:// -Hunix:///x",
                "--host=tcp://0.0.0.0:2375 --host=fd:// --host=unix:///x",
            ),
            (
                "-g /mnt/data -s overlay2",
                "--data-root=/mnt/data --storage-driver=overlay2",
            ),
            ("daemon -x --icc=false", "daemon -x --icc=false"),
            ("", ""),
        ] {
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            let flags = read_words(&words, |_| None);
            let found: Vec<String> = flags.iter().map(super::Flag::word).collect();
            assert_eq!(found.join(" "), expected);
        }
    }
}
