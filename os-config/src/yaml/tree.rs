//! A YAML document as a tree. It keeps positions and the text of scalars, which `Value` loses: `0644`, `1.50` and `no`
//! are texts where a field is a text.

use std::collections::BTreeSet;

use serde_yaml::{Mapping, Value};

use crate::yaml::path::{item_path, key_path};
use crate::yaml::scalar::{self, Dialect};

/// Line and column, from 1; 0 for a node that comes from no file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A value and its position.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) kind: NodeKind,
}

/// A value's kind and content. The meaning of a plain scalar depends on the [`Dialect`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeKind {
    Scalar { text: String, plain: bool },
    List(Vec<Node>),
    Map(Vec<MapEntry>),
}

/// A key with its value; every key is a text, numbers too.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MapEntry {
    pub(crate) key: String,
    pub(crate) at: Position,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn empty_map() -> Self {
        Self {
            at: Position::default(),
            kind: NodeKind::Map(Vec::new()),
        }
    }

    pub(crate) fn null() -> Self {
        Self::plain("")
    }

    pub(crate) fn plain(text: &str) -> Self {
        Self {
            at: Position::default(),
            kind: NodeKind::Scalar {
                text: text.to_owned(),
                plain: true,
            },
        }
    }

    pub(crate) fn text(text: &str) -> Self {
        Self {
            at: Position::default(),
            kind: NodeKind::Scalar {
                text: text.to_owned(),
                plain: false,
            },
        }
    }

    pub(crate) fn list(nodes: Vec<Node>) -> Self {
        Self {
            at: Position::default(),
            kind: NodeKind::List(nodes),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar { text, plain: true } if scalar::is_null(text))
    }

    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            NodeKind::Map(entries) => entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| &entry.node),
            _ => None,
        }
    }

    pub(crate) fn get_path(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Sets a key, and adds missing maps above it.
    pub(crate) fn insert_path(&mut self, path: &[&str], node: Node) {
        let Some((last, sections)) = path.split_last() else {
            return;
        };
        let mut here = self;
        for section in sections {
            if !here
                .get(section)
                .is_some_and(|node| matches!(node.kind, NodeKind::Map(_)))
            {
                here.insert(section, Self::empty_map());
            }
            match here.get_mut(section) {
                Some(next) => here = next,
                None => return,
            }
        }
        here.insert(last, node);
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.kind {
            NodeKind::Map(entries) => entries
                .iter_mut()
                .find(|entry| entry.key == key)
                .map(|entry| &mut entry.node),
            _ => None,
        }
    }

    /// Sets a key of a map; a node of another kind becomes a map.
    pub(crate) fn insert(&mut self, key: &str, node: Node) {
        if !matches!(self.kind, NodeKind::Map(_)) {
            self.kind = NodeKind::Map(Vec::new());
        }
        if let Some(found) = self.get_mut(key) {
            *found = node;
        } else if let NodeKind::Map(entries) = &mut self.kind {
            entries.push(MapEntry {
                key: key.to_owned(),
                at: node.at,
                node,
            });
        }
    }

    /// Renames a key, unless the map has the new name already.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        if self.get(to).is_some() {
            return;
        }
        if let NodeKind::Map(entries) = &mut self.kind
            && let Some(entry) = entries.iter_mut().find(|entry| entry.key == from)
        {
            to.clone_into(&mut entry.key);
        }
    }

    /// The tree as plain YAML values.
    pub(crate) fn to_value(&self, dialect: Dialect) -> Value {
        match &self.kind {
            NodeKind::Scalar { text, plain: true } => scalar::value(text, dialect),
            NodeKind::Scalar { text, plain: false } => Value::String(text.clone()),
            NodeKind::List(nodes) => {
                Value::Sequence(nodes.iter().map(|node| node.to_value(dialect)).collect())
            }
            NodeKind::Map(entries) => {
                let mut map = Mapping::new();
                for entry in entries {
                    map.insert(
                        Value::String(entry.key.clone()),
                        entry.node.to_value(dialect),
                    );
                }
                Value::Mapping(map)
            }
        }
    }

    /// Lays `above` over this tree: maps merge, every other value of `above`, lists included, replaces the value below
    /// (RancherOS's rule). A null replaces no value at any depth: an empty `hostname:` or `rancher:` takes nothing away.
    pub(crate) fn merge(&mut self, above: Node) {
        if above.is_null() {
            return;
        }
        let NodeKind::Map(below) = &mut self.kind else {
            *self = above;
            return;
        };
        let entries = match above.kind {
            NodeKind::Map(entries) => entries,
            kind => {
                *self = Node { at: above.at, kind };
                return;
            }
        };
        for entry in entries {
            match below.iter_mut().find(|known| known.key == entry.key) {
                Some(known) => known.node.merge(entry.node),
                None => below.push(entry),
            }
        }
    }

    /// The tree without the values at `paths`, as diagnostics name them.
    pub(crate) fn without(mut self, paths: &BTreeSet<String>) -> Self {
        if !paths.is_empty() {
            self.remove(paths, "");
        }
        self
    }

    fn remove(&mut self, paths: &BTreeSet<String>, path: &str) {
        match &mut self.kind {
            NodeKind::Scalar { .. } => {}
            NodeKind::List(nodes) => {
                let mut index = 0;
                nodes.retain_mut(|node| {
                    let path = item_path(path, index);
                    index += 1;
                    let stays = !paths.contains(&path);
                    if stays {
                        node.remove(paths, &path);
                    }
                    stays
                });
            }
            NodeKind::Map(entries) => entries.retain_mut(|entry| {
                let path = key_path(path, &entry.key);
                let stays = !paths.contains(&path);
                if stays {
                    entry.node.remove(paths, &path);
                }
                stays
            }),
        }
    }

    /// Changes every scalar; keys stay.
    pub(crate) fn map_scalars(&mut self, change: &mut impl FnMut(&str) -> Option<String>) {
        match &mut self.kind {
            NodeKind::Scalar { text, plain } => {
                if let Some(new) = change(text) {
                    // An empty result of a substitution is an empty text, not null.
                    *plain = *plain && !new.is_empty();
                    *text = new;
                }
            }
            NodeKind::List(nodes) => nodes.iter_mut().for_each(|node| node.map_scalars(change)),
            NodeKind::Map(entries) => entries
                .iter_mut()
                .for_each(|entry| entry.node.map_scalars(change)),
        }
    }
}
