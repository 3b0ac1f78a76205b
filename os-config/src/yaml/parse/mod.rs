//! Parses text into a tree. Size, depth and the expansion of aliases have limits, because PID 1 reads disks of unknown
//! origin. The parser gives events, so that no stack grows with the text.

mod characters;
mod errors;
mod size;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use crate::diagnostic::Diagnostic;
use crate::yaml::parse::characters::{refuse_control_characters, refuse_leading_tab};
use crate::yaml::parse::errors::{syntax, unusable};
use crate::yaml::parse::size::{Size, measure};
use crate::yaml::path::{item_path, key_path};
use crate::yaml::tree::{MapEntry, Node, NodeKind, Position};

/// Bytes of the largest document. User-data of clouds ends at 64 KiB, disks may carry more.
pub const LARGEST: usize = 4 << 20;
const DEEPEST: usize = 64;
/// Nodes of one document, with aliases expanded.
const MOST_NODES: usize = 50_000;
/// Problems of one document that are kept.
const MOST_PROBLEMS: usize = 50;
/// Bytes of text that aliases may add.
const MOST_ALIAS_TEXT: usize = 16 << 20;

/// Parses the first document of `text`. Problems that do not stop the parser, such as a duplicate key, come beside the
/// tree.
pub(crate) fn parse(text: &str) -> Result<(Node, Vec<Diagnostic>), Diagnostic> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    refuse_control_characters(text)?;
    refuse_leading_tab(text)?;
    Builder::default().document(text)
}

/// A list or map whose end the parser has not seen yet.
enum Open {
    List {
        at: Position,
        anchor: usize,
        nodes: Vec<Node>,
    },
    Map {
        at: Position,
        anchor: usize,
        entries: Vec<MapEntry>,
        key: Option<(String, Position)>,
        seen: BTreeMap<String, Position>,
    },
}

#[derive(Default)]
struct Builder {
    diagnostics: Vec<Diagnostic>,
    anchors: BTreeMap<usize, (Node, Size)>,
    nodes: usize,
    alias_text: usize,
}

impl Builder {
    fn document(mut self, text: &str) -> Result<(Node, Vec<Diagnostic>), Diagnostic> {
        let mut parser = Parser::new_from_str(text);
        let mut open: Vec<Open> = Vec::new();
        let mut root: Option<Node> = None;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| syntax(&error, text))?;
            let position = Position {
                line: span.start.line(),
                column: span.start.col() + 1,
            };
            if matches!(event, Event::DocumentStart(_)) && root.is_some() {
                let message = "a second document begins; only the first is read";
                let diagnostic = Diagnostic::warning("", message);
                self.diagnostics
                    .push(diagnostic.with_position((position.line, position.column)));
                break;
            }
            let Some(node) = self.event(event, position, &mut open)? else {
                continue;
            };
            match open.split_last_mut() {
                None => root = Some(node),
                Some((collection, outer)) => self.add_child(node, collection, outer)?,
            }
        }
        Ok((root.unwrap_or_else(Node::null), self.diagnostics))
    }

    /// The node that this event completes.
    fn event(
        &mut self,
        event: Event<'_>,
        position: Position,
        open: &mut Vec<Open>,
    ) -> Result<Option<Node>, Diagnostic> {
        self.nodes += 1;
        if self.nodes > MOST_NODES || open.len() > DEEPEST {
            return Err(limit_exceeded(position));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = core_tag(tag.as_deref());
                let text = match tag {
                    Some("binary") => decode_binary(text.into_owned()),
                    _ => text.into_owned(),
                };
                let plain = style == ScalarStyle::Plain && !matches!(tag, Some("str" | "binary"));
                let node = Node {
                    at: position,
                    kind: NodeKind::Scalar { text, plain },
                };
                Ok(Some(self.store_anchor(anchor, node)))
            }
            Event::SequenceStart(anchor, _) => {
                open.push(Open::List {
                    at: position,
                    anchor,
                    nodes: Vec::new(),
                });
                Ok(None)
            }
            Event::MappingStart(anchor, _) => {
                let (entries, seen) = (Vec::new(), BTreeMap::new());
                open.push(Open::Map {
                    at: position,
                    anchor,
                    entries,
                    key: None,
                    seen,
                });
                Ok(None)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                Ok(open.pop().map(|collection| match collection {
                    Open::List { at, anchor, nodes } => self.store_anchor(
                        anchor,
                        Node {
                            at,
                            kind: NodeKind::List(nodes),
                        },
                    ),
                    Open::Map {
                        at,
                        anchor,
                        entries,
                        ..
                    } => self.store_anchor(
                        anchor,
                        Node {
                            at,
                            kind: NodeKind::Map(entries),
                        },
                    ),
                }))
            }
            Event::Alias(anchor) => self.expand(anchor, position, open.len()).map(Some),
            _ => Ok(None),
        }
    }

    fn add_child(
        &mut self,
        node: Node,
        collection: &mut Open,
        outer: &[Open],
    ) -> Result<(), Diagnostic> {
        match collection {
            Open::List { nodes, .. } => nodes.push(node),
            Open::Map {
                entries, key, seen, ..
            } => match key.take() {
                None => match node.kind {
                    NodeKind::Scalar { text, .. } => *key = Some((text, node.at)),
                    _ => return Err(unusable(node.at, "expected a key, found a list or a map")),
                },
                Some((name, position)) if name == "<<" => merge_key(entries, &node, position),
                Some((name, position)) => {
                    if let Some(first) = seen.get(&name) {
                        self.report_duplicate(&name, position, *first, outer);
                    }
                    insert(
                        MapEntry {
                            key: name,
                            at: position,
                            node,
                        },
                        entries,
                        seen,
                    );
                }
            },
        }
        Ok(())
    }

    fn report_duplicate(&mut self, key: &str, position: Position, first: Position, outer: &[Open]) {
        if self.diagnostics.len() >= MOST_PROBLEMS {
            return;
        }
        let path = outer.iter().fold(String::new(), |path, open| match open {
            Open::List { nodes, .. } => item_path(&path, nodes.len()),
            Open::Map { key, .. } => key_path(&path, key.as_ref().map_or("", |(key, _)| key)),
        });
        let message = format!(
            "the key is there twice, first in line {}; the last one counts",
            first.line
        );
        let diagnostic = Diagnostic::warning(key_path(&path, key), message);
        self.diagnostics
            .push(diagnostic.with_position((position.line, position.column)));
    }

    fn store_anchor(&mut self, anchor: usize, node: Node) -> Node {
        if anchor != 0 {
            let size = measure(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        node
    }

    fn expand(
        &mut self,
        anchor: usize,
        position: Position,
        depth: usize,
    ) -> Result<Node, Diagnostic> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(unusable(
                position,
                "expected a value that is complete, found an alias inside of what it stands for",
            ));
        };
        self.nodes += size.nodes;
        self.alias_text += size.text;
        if self.nodes > MOST_NODES
            || self.alias_text > MOST_ALIAS_TEXT
            || depth + size.depth > DEEPEST
        {
            return Err(limit_exceeded(position));
        }
        Ok(node.clone())
    }
}

fn limit_exceeded(position: Position) -> Diagnostic {
    let message = format!(
        "expected at most {MOST_NODES} values, aliases expanded, {DEEPEST} levels deep; found more"
    );
    unusable(position, message)
}

/// The last of several equal keys counts, as in RancherOS.
fn insert(entry: MapEntry, entries: &mut Vec<MapEntry>, seen: &mut BTreeMap<String, Position>) {
    // `<<` may have brought the key before.
    if seen.insert(entry.key.clone(), entry.at).is_some() || entries.len() >= seen.len() {
        entries.retain(|known| known.key != entry.key);
    }
    entries.push(entry);
}

/// The name of a tag of YAML's core schema.
fn core_tag(tag: Option<&Tag>) -> Option<&str> {
    tag.filter(|tag| tag.is_yaml_core_schema())
        .map(|tag| tag.suffix.as_str())
}

/// The content of `!!binary`, if it is a text. Other bytes stay base64, as the encodings of `write_files` expect.
fn decode_binary(text: String) -> String {
    let packed: String = text.split_ascii_whitespace().collect();
    let engine = base64::engine::general_purpose::STANDARD;
    let bytes = engine.decode(packed).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or(text)
}

/// `<<: *defaults`: adds the keys that the map does not have.
fn merge_key(entries: &mut Vec<MapEntry>, node: &Node, position: Position) {
    let mut known: BTreeSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    let maps = match &node.kind {
        NodeKind::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    for map in maps {
        let NodeKind::Map(more) = &map.kind else {
            continue;
        };
        for entry in more {
            if known.insert(entry.key.clone()) {
                entries.push(MapEntry {
                    at: position,
                    ..entry.clone()
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
