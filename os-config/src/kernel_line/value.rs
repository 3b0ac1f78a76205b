//! A value of the kernel line or of `ros config set`: YAML of one line. Outside braces a colon makes no map, so that
//! addresses need no quotes.

use crate::yaml::tree::{Node, NodeKind};

const DEEPEST: usize = 16;

/// Reads a value: a list, a map or a quoted text, and otherwise a plain scalar.
pub(super) fn read(text: &str) -> Node {
    let trimmed = text.trim_matches([' ', '\t']);
    if trimmed.is_empty() {
        return Node::text("");
    }
    if let Some(node) = collection(trimmed).or_else(|| block_list(trimmed)) {
        return node;
    }
    if let Some(text) = fully_quoted(trimmed) {
        return Node::text(&text);
    }
    match trimmed.find(" #") {
        Some(comment) if !trimmed.starts_with('#') => {
            plain(trimmed.get(..comment).unwrap_or(trimmed).trim_end())
        }
        _ => plain(trimmed),
    }
}

fn plain(text: &str) -> Node {
    Node::plain(text)
}

/// `- a`, on one line or several.
fn block_list(text: &str) -> Option<Node> {
    text.strip_prefix("- ")
        .map(|first| Node::list(first.split("\n- ").map(|item| plain(item.trim())).collect()))
}

/// A list in brackets or a map in braces that is the whole text.
fn collection(text: &str) -> Option<Node> {
    if !text.starts_with(['[', '{']) {
        return None;
    }
    let mut scanner = Scanner { rest: text };
    let node = scanner.value(0)?;
    scanner.rest.is_empty().then_some(node)
}

/// The content of a text with quotes around the whole.
fn fully_quoted(text: &str) -> Option<String> {
    let mut scanner = Scanner { rest: text };
    let content = scanner.quoted()?;
    scanner.rest.is_empty().then_some(content)
}

struct Scanner<'a> {
    rest: &'a str,
}

impl Scanner<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        if depth > DEEPEST {
            return None;
        }
        self.skip_blanks();
        let node = if self.take('[') {
            Node::list(self.items(']', |scanner| scanner.value(depth + 1))?)
        } else if self.take('{') {
            let mut map = Node::empty_map();
            for (key, node) in self.items('}', |scanner| scanner.pair(depth + 1))? {
                map.insert(&key, node);
            }
            map
        } else {
            self.scalar(|_, c| matches!(c, ',' | ']' | '}'))
        };
        self.skip_blanks();
        Some(node)
    }

    fn items<T>(
        &mut self,
        end: char,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut items = Vec::new();
        loop {
            self.skip_blanks();
            if self.take(end) {
                return Some(items);
            }
            items.push(item(self)?);
            if !self.take(',') && !self.rest.starts_with(end) {
                return None;
            }
        }
    }

    fn pair(&mut self, depth: usize) -> Option<(String, Node)> {
        // `{b:c}` means `{b: c}`: words of the kernel line have no blanks.
        let key = self.scalar(|_, c| matches!(c, ':' | ',' | '}'));
        let NodeKind::Scalar { text, .. } = key.kind else {
            return None;
        };
        self.skip_blanks();
        let node = if self.take(':') {
            self.value(depth)?
        } else {
            Node::null()
        };
        Some((text, node))
    }

    fn scalar(&mut self, is_end: impl Fn(&str, char) -> bool) -> Node {
        let before = self.rest;
        if let Some(text) = self.quoted() {
            self.skip_blanks();
            if self.rest.is_empty() || self.rest.starts_with(|c| is_end(self.rest, c)) {
                return Node::text(&text);
            }
            // Quotes around a part of the text belong to it.
            self.rest = before;
        }
        let end = self
            .rest
            .char_indices()
            .find(|(_, c)| is_end(self.rest, *c))
            .map_or(self.rest.len(), |(i, _)| i);
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        plain(text.trim_matches([' ', '\t']))
    }

    fn quoted(&mut self) -> Option<String> {
        let mut chars = self.rest.char_indices();
        let quote = chars
            .next()
            .map(|(_, c)| c)
            .filter(|c| matches!(c, '"' | '\''))?;
        let mut content = String::new();
        while let Some((index, c)) = chars.next() {
            if c == quote {
                self.rest = self.rest.get(index + 1..)?;
                if quote == '\'' && self.rest.starts_with('\'') {
                    chars.next();
                } else {
                    return Some(content);
                }
            }
            match (quote, c) {
                ('"', '\\') => content.push(match chars.next()?.1 {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                }),
                _ => content.push(c),
            }
        }
        None
    }
}
