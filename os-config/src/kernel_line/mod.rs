//! The kernel line: `rancher.*` and `cc.*` as a configuration.
//!
//! Every line gives a configuration; messages name the words that it leaves out.
//!
//! Written by hand, because only RancherOS has this form: values are YAML, and a dot in a name is a level of the
//! configuration.

mod value;

use serde_yaml::Value;

use crate::diagnostic;
use crate::reader::public_keys::is_public_path;
use crate::shell_pattern;
use crate::yaml::dotted;
use crate::yaml::scalar::Dialect;
use crate::yaml::tree::{Node, NodeKind};

/// The configuration of `line`, with values typed as RancherOS typed them, and messages about unusable words.
pub fn parse(line: &str) -> (Value, Vec<String>) {
    let (tree, refused) = parse_tree(line);
    (tree.to_value(Dialect::Yaml11), refused)
}

/// A value as `ros config set` and the kernel line read it: YAML of one line, else a text.
pub fn typed_value(text: &str) -> Value {
    value::read(text).to_value(Dialect::Yaml11)
}

/// Words of the kernel, of boot loaders and of PaddockOS that anybody may read, as shell patterns.
const PUBLIC_WORDS: [&str; 30] = [
    "BOOT_IMAGE",
    "acpi*",
    "apparmor",
    "clocksource",
    "console*",
    "debug",
    "earlycon",
    "init_on_*",
    "initrd",
    "ip",
    "loglevel",
    "lsm",
    "mem",
    "mitigations",
    "module_blacklist",
    "net.ifnames",
    "no*",
    "paddock.*",
    "page_alloc.*",
    "panic",
    "pci",
    "quiet",
    "randomize_kstack_offset",
    "reboot",
    "ro",
    "root*",
    "rw",
    "slab_nomerge",
    "splash",
    "video",
];

/// The line for logs, with `***` for all that not everybody may read.
pub fn mask_secrets(line: &str) -> String {
    let show = |word: &String| {
        let (name, value) = word
            .split_once('=')
            .map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        let is_public = match configuration_path(word) {
            Some(path) => value.is_none() || is_public_path(path),
            None => PUBLIC_WORDS
                .iter()
                .any(|public| shell_pattern::matches(public, name)),
        };
        match value {
            _ if is_public => word.clone(),
            Some(_) => format!("{name}=***"),
            None => "***".to_owned(),
        }
    };
    split_line(line)
        .words
        .iter()
        .map(show)
        .collect::<Vec<_>>()
        .join(" ")
}

pub(crate) fn parse_tree(line: &str) -> (Node, Vec<String>) {
    let mut tree = Node::empty_map();
    let mut refused = Vec::new();
    let mut logged_in: Vec<Node> = Vec::new();
    let split = split_line(line);
    if let Some(quote) = split.open {
        refused.push(format!(
            "{quote} is never closed; everything behind it belongs to one word"
        ));
    }
    for word in &split.words {
        let Some(path) = configuration_path(word) else {
            continue;
        };
        let Some(parts) = dotted::split(path).map(dotted::join_flat) else {
            refused.push(format!(
                "expected rancher.KEY=value, found {}",
                quoted(word)
            ));
            continue;
        };
        let node = match word.split_once('=') {
            Some((_, text)) => value::read(text),
            None => Node::plain("true"),
        };
        // RancherOS takes a word for each terminal.
        if parts == ["rancher", "autologin"] {
            match node.kind {
                NodeKind::List(nodes) => logged_in.extend(nodes),
                _ => logged_in.push(node),
            }
            continue;
        }
        if let Err(scalar) = insert_at(&mut tree, &parts, node) {
            refused.push(format!(
                "{scalar} has a value already, so {} cannot be set",
                quoted(path)
            ));
        }
    }
    if !logged_in.is_empty() {
        let parts = ["rancher".to_owned(), "autologin".to_owned()];
        // This cannot fail, because no word can set `rancher` itself.
        let _ = insert_at(&mut tree, &parts, Node::list(logged_in));
    }
    (tree, refused)
}

/// The dotted path of a configuration word; `cc.` begins keys outside `rancher`.
fn configuration_path(word: &str) -> Option<&str> {
    let key = word.split_once('=').map_or(word, |(key, _)| key);
    key.strip_prefix("cc.")
        .or_else(|| key.starts_with("rancher.").then_some(key))
}

/// The most keys of a path; no configuration has a longer path.
const DEEPEST: usize = 32;

/// Sets a value. A new value replaces the old value. A key below a scalar is an error; the error is the scalar's path.
fn insert_at(tree: &mut Node, parts: &[String], node: Node) -> Result<(), String> {
    let Some((last, parents)) = parts.split_last() else {
        return Ok(());
    };
    if parts.len() > DEEPEST {
        return Err(parts.iter().take(2).cloned().collect::<Vec<_>>().join("."));
    }
    let mut here = tree;
    for (index, part) in parents.iter().enumerate() {
        if here.get(part).is_none() {
            here.insert(part, Node::empty_map());
        }
        match here.get_mut(part) {
            Some(next) if matches!(next.kind, NodeKind::Map(_)) => here = next,
            _ => {
                return Err(parents
                    .iter()
                    .take(index + 1)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("."));
            }
        }
    }
    here.insert(last, node);
    Ok(())
}

/// Words of a line, and the quote that stayed open.
struct SplitLine {
    words: Vec<String>,
    open: Option<char>,
}

/// Splits at blanks outside quotes and brackets. Quotes stay, except around a whole word. `\"` and `\'` are quotes too, but
/// inside of a word in quotes they are characters of the word: so GRUB writes a word with blanks and quotes.
fn split_line(line: &str) -> SplitLine {
    let mut words = Vec::new();
    let mut word = Word::default();
    let mut brackets = 0usize;
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        let escaped = characters.next_if(|next| c == '\\' && matches!(*next, '"' | '\''));
        if escaped.is_some() && word.is_in_quotes() {
            word.text.extend(escaped);
            continue;
        }
        match (word.quote, escaped.unwrap_or(c)) {
            (Some(open), c) if c == open => word.close(),
            (None, c @ ('"' | '\'')) => word.open(c, escaped.is_none()),
            (None, '[') => brackets += 1,
            (None, ']') => brackets = brackets.saturating_sub(1),
            (None, ' ' | '\t') if brackets == 0 => {
                words.extend(std::mem::take(&mut word).end());
                continue;
            }
            _ => {}
        }
        word.text.push(escaped.unwrap_or(c));
    }
    let open = word.quote.or((brackets > 0).then_some('['));
    words.extend(word.end());
    SplitLine { words, open }
}

/// A word of the line while it is read.
#[derive(Default)]
struct Word {
    text: String,
    /// The quote that is open.
    quote: Option<char>,
    /// The quote that the word began with.
    first: Option<char>,
    /// The length of the text when that quote was closed.
    closed_at: Option<usize>,
}

impl Word {
    fn open(&mut self, quote: char, is_plain: bool) {
        self.quote = Some(quote);
        if self.text.is_empty() && is_plain {
            self.first = Some(quote);
        }
    }

    fn close(&mut self) {
        self.quote = None;
        self.closed_at.get_or_insert(self.text.len());
    }

    /// Whether the quote is open that the word began with.
    fn is_in_quotes(&self) -> bool {
        self.first.is_some() && self.closed_at.is_none()
    }

    /// The text, without quotes around the whole: boot loaders put a word with blanks into quotes.
    fn end(self) -> Option<String> {
        let inner = self.first.and_then(|quote| {
            let inner = self.text.strip_prefix(quote)?.strip_suffix(quote)?;
            (self.closed_at? == quote.len_utf8() + inner.len()).then(|| inner.to_owned())
        });
        Some(inner.unwrap_or(self.text)).filter(|text| !text.is_empty())
    }
}

/// A word for a message: shortened, and without secrets.
fn quoted(word: &str) -> String {
    let shown: String = mask_secrets(word).chars().take(60).collect();
    diagnostic::quoted(&shown)
}

#[cfg(test)]
mod tests;
