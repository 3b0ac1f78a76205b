//! Splits a layer by the types: the part that fits is used, the rest becomes problems. A wrong value must not hide the
//! value of a lower layer.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::diagnostic::{Diagnostic, Severity};
use crate::document::Document;
use crate::validate;
use crate::yaml::scalar::Dialect;
use crate::yaml::tree::{Node, NodeKind};

/// The part of a document that fits the types; the rest becomes problems.
pub(crate) fn usable_part(document: Document, name: &str, problems: &mut Vec<Diagnostic>) -> Node {
    let (_, findings) = Config::read(&document.tree.to_value(Dialect::Text));
    problems.extend(validate::validate_document(&document, name));
    with_current_names(document.tree.without(&wrong_paths(&findings)))
}

/// Renames keys with old names, so that a layer with the new name replaces a layer with the old name.
pub(crate) fn with_current_names(mut tree: Node) -> Node {
    if let Some(rancher) = tree.get_mut("rancher") {
        for engine in ["docker", "system_docker"] {
            if let Some(engine) = rancher.get_mut(engine) {
                engine.rename("graph", "data_root");
            }
        }
        if let Some(NodeKind::Map(services)) =
            rancher.get_mut("services").map(|node| &mut node.kind)
        {
            for service in services {
                service.node.rename("network_mode", "net");
            }
        }
    }
    tree
}

pub(crate) fn wrong_paths(findings: &[Diagnostic]) -> BTreeSet<String> {
    let wrong = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    wrong.map(|finding| finding.key_path.clone()).collect()
}
