//! One document of a configuration: its tree, and the position of every key.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::diagnostic::Diagnostic;
use crate::yaml::parse;
use crate::yaml::path::{item_path, key_path};
use crate::yaml::scalar::Dialect;
use crate::yaml::tree::{Node, NodeKind};

pub use crate::yaml::parse::LARGEST;

/// A document that could be read.
#[derive(Clone, Debug)]
pub struct Document {
    /// As plain YAML.
    pub value: Value,
    /// Dotted path of a key or item → its line and column.
    pub positions: BTreeMap<String, (usize, usize)>,
    /// Keeps the text of every scalar, which `value` loses.
    pub(crate) tree: Node,
    /// Problems that did not keep the parser from reading it.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads a document; an empty document is an empty mapping. The error names no file.
pub fn parse(bytes: &[u8]) -> Result<Document, Diagnostic> {
    if bytes.len() > LARGEST {
        let message = format!(
            "expected a document of at most {} KiB, found more",
            LARGEST / 1024
        );
        return Err(Diagnostic::error("", message));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Diagnostic::error("", "expected UTF-8 text, found other bytes")
            .with_position(position_of(bytes, error.valid_up_to()))
    })?;
    let (tree, diagnostics) = parse::parse(text)?;
    let tree = match &tree.kind {
        NodeKind::Map(_) => tree,
        _ if tree.is_null() => Node::empty_map(),
        kind => {
            let found = if matches!(kind, NodeKind::List(_)) {
                "a list"
            } else {
                "a single text"
            };
            let message = format!("expected keys with values, found {found}");
            return Err(
                Diagnostic::error("", message).with_position((tree.at.line, tree.at.column))
            );
        }
    };
    let mut positions = BTreeMap::new();
    add_positions(&tree, "", &mut positions);
    Ok(Document {
        value: tree.to_value(Dialect::Core),
        positions,
        tree,
        diagnostics,
    })
}

/// Merges two documents as the layers of the configuration are merged: `above` lies over `below`. The result has no
/// comments.
pub fn merge(below: &Document, above: &Document) -> Value {
    let mut tree = below.tree.clone();
    tree.merge(above.tree.clone());
    tree.to_value(Dialect::Core)
}

fn position_of(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = String::from_utf8_lossy(bytes.get(..offset).unwrap_or(bytes));
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}

/// The parser bounds the depth, so that recursion is safe.
fn add_positions(node: &Node, path: &str, positions: &mut BTreeMap<String, (usize, usize)>) {
    match &node.kind {
        NodeKind::Scalar { .. } => {}
        NodeKind::List(nodes) => {
            for (index, node) in nodes.iter().enumerate() {
                let path = item_path(path, index);
                positions.insert(path.clone(), (node.at.line, node.at.column));
                add_positions(node, &path, positions);
            }
        }
        NodeKind::Map(entries) => {
            for entry in entries {
                let path = key_path(path, &entry.key);
                positions.insert(path.clone(), (entry.at.line, entry.at.column));
                add_positions(&entry.node, &path, positions);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_yaml::Value;

    use super::{LARGEST, merge, parse};

    #[test]
    fn layers() {
        for (below, above, expected) in [
            (
                "{a: 1, b: {c: 2, d: 3}}",
                "{b: {c: 4}, e: 5}",
                "{a: 1, b: {c: 4, d: 3}, e: 5}",
            ),
            ("{a: [1, 2]}", "{a: [3]}", "{a: [3]}"),
            ("{a: [1, 2]}", "{a: []}", "{a: []}"),
            ("{a: {b: 1}}", "{a: text}", "{a: text}"),
            ("{a: text}", "{a: {b: 1}}", "{a: {b: 1}}"),
            // A null replaces nothing, in each of its spellings and at every depth. An empty text is a text.
            ("{a: 1}", "{a: null}", "{a: 1}"),
            ("{a: 1}", "a:", "{a: 1}"),
            ("{a: 1}", "{a: ~}", "{a: 1}"),
            ("{a: {b: [1]}}", "{a: {b: null}}", "{a: {b: [1]}}"),
            ("{a: {b: 1}}", "{a: null}", "{a: {b: 1}}"),
            ("{a: 1}", "{a: ''}", "{a: ''}"),
            ("{a: null}", "{a: 1}", "{a: 1}"),
            ("{a: 1}", "{}", "{a: 1}"),
            ("", "{a: 1}", "{a: 1}"),
        ] {
            let read = |text: &str| parse(text.as_bytes()).unwrap();
            let expected: Value = serde_yaml::from_str(expected).unwrap();
            let merged = merge(&read(below), &read(above));
            assert_eq!(merged, expected, "{below} + {above}");
        }
    }

    #[test]
    fn positions_of_keys() {
        let document = parse(b"a: 1\nb:\n  c:\n    - x\n    - y: 2\n").unwrap();
        for (path, at) in [
            ("a", (1, 1)),
            ("b", (2, 1)),
            ("b.c", (3, 3)),
            ("b.c[1].y", (5, 7)),
        ] {
            assert_eq!(document.positions.get(path), Some(&at), "{path}");
        }
    }

    #[test]
    fn unusable_documents_say_why() {
        for (name, bytes, piece) in [
            ("truncated", &b"rancher:\n  docker: {a: [1,"[..], ""),
            ("tabs", b"rancher:\n\tdebug: true\n", ""),
            ("nul", b"a: b\0c", "U+0000"),
            ("not utf-8", b"a: \xff\xfe", "UTF-8"),
            ("scalar", b"just words", "single text"),
            ("list", b"- a", "a list"),
            ("large", &vec![b'#'; LARGEST + 1], "at most"),
        ] {
            let error = parse(bytes).err().unwrap_or_else(|| panic!("{name}"));
            assert!(error.message.contains(piece), "{name}: {}", error.message);
        }
        for empty in [
            &b""[..],
            b"# only a comment\n",
            b"---\n",
            b"~",
            b"\xEF\xBB\xBF",
        ] {
            assert!(
                parse(empty).unwrap().value.as_mapping().unwrap().is_empty(),
                "{empty:?}"
            );
        }
    }
}
