//! The size of a tree: aliases can multiply it.

use crate::yaml::tree::{Node, NodeKind};

/// Nodes, bytes of text, and levels.
#[derive(Clone, Copy, Default)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) text: usize,
    pub(crate) depth: usize,
}

/// The builder bounds the depth, so that recursion is safe.
pub(crate) fn measure(node: &Node) -> Size {
    let add = |sum: Size, part: Size| Size {
        nodes: sum.nodes + part.nodes,
        text: sum.text + part.text,
        depth: sum.depth.max(part.depth + 1),
    };
    let own = Size {
        nodes: 1,
        ..Size::default()
    };
    match &node.kind {
        NodeKind::Scalar { text, .. } => Size {
            text: text.len(),
            ..own
        },
        NodeKind::List(nodes) => nodes.iter().map(measure).fold(own, add),
        NodeKind::Map(entries) => entries.iter().fold(own, |sum, entry| {
            let part = measure(&entry.node);
            add(
                sum,
                Size {
                    text: part.text + entry.key.len(),
                    ..part
                },
            )
        }),
    }
}
