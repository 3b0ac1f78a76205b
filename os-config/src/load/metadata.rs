//! A data source's metadata about the machine, which the cloud-init service stores. Every setting of the user overrides
//! it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::bounded_file;
use crate::diagnostic::Diagnostic;
use crate::document;
use crate::paths::{self, below_root};
use crate::substitute::Addresses;
use crate::yaml::tree::{Node, NodeKind};

/// Below the root.
const METADATA: &str = below_root(paths::METADATA);

#[derive(Debug, Default)]
pub(crate) struct Metadata {
    hostname: Option<String>,
    /// Name → key. Names are ordered as texts, "10" before "2".
    ssh_keys: BTreeMap<String, String>,
    root_disk: Option<String>,
    pub(crate) addresses: Addresses,
}

impl Metadata {
    /// Reads the file; an unreadable file counts as empty.
    pub(crate) fn read(root: &Path, problems: &mut Vec<Diagnostic>) -> Self {
        let metadata =
            match bounded_file::read(&root.join(METADATA)).map(|bytes| document::parse(&bytes?)) {
                None => Self::default(),
                Some(Ok(document)) => Self::from_tree(&document.tree),
                Some(Err(unusable)) => {
                    problems.push(unusable.in_file(&format!("/{METADATA}")));
                    Self::default()
                }
            };
        let addresses = metadata
            .addresses
            .with_environment(|name| std::env::var(name).ok());
        Self {
            addresses,
            ..metadata
        }
    }

    fn from_tree(tree: &Node) -> Self {
        let mut metadata = Self::default();
        let NodeKind::Map(entries) = &tree.kind else {
            return metadata;
        };
        for entry in entries {
            // RancherOS wrote `<nil>` for a missing address.
            let text = entry
                .node
                .scalar()
                .filter(|text| !text.is_empty() && *text != "<nil>")
                .map(str::to_owned);
            match entry.key.to_ascii_lowercase().as_str() {
                "hostname" => metadata.hostname = text,
                "rootdisk" => metadata.root_disk = text,
                "publicipv4" => metadata.addresses.public_ipv4 = text.unwrap_or_default(),
                "privateipv4" => metadata.addresses.private_ipv4 = text.unwrap_or_default(),
                "publicipv6" => metadata.addresses.public_ipv6 = text.unwrap_or_default(),
                "privateipv6" => metadata.addresses.private_ipv6 = text.unwrap_or_default(),
                "sshpublickeys" => metadata.ssh_keys = keys(&entry.node),
                _ => {}
            }
        }
        metadata
    }

    /// Sets the values that no layer has. The disk counts only if it exists below `root`: for EC2 it is a guess by the
    /// type of the machine.
    pub(crate) fn fill_missing(&self, root: &Path, tree: &mut Node) {
        let has = |tree: &Node, path: &[&str]| {
            tree.get_path(path)
                .is_some_and(|node| node.scalar().is_some_and(|text| !text.is_empty()))
        };
        if let Some(name) = self.hostname.as_ref().filter(|_| !has(tree, &["hostname"])) {
            tree.insert("hostname", Node::text(name));
        }
        if let Some(disk) = self
            .root_disk
            .as_ref()
            .filter(|disk| root.join(disk.trim_start_matches('/')).exists())
            .filter(|_| !has(tree, &["rancher", "resize_device"]))
        {
            tree.insert_path(&["rancher", "resize_device"], Node::text(disk));
        }
        if !self.ssh_keys.is_empty() {
            self.add_keys(tree);
        }
    }

    fn add_keys(&self, tree: &mut Node) {
        let mut keys = match tree.get("ssh_authorized_keys").map(|node| &node.kind) {
            Some(NodeKind::List(nodes)) => nodes.clone(),
            Some(NodeKind::Scalar { text, .. }) if !text.is_empty() => vec![Node::text(text)],
            _ => Vec::new(),
        };
        for key in self.ssh_keys.values() {
            if !keys.iter().any(|known| known.scalar() == Some(key)) {
                keys.push(Node::text(key));
            }
        }
        tree.insert("ssh_authorized_keys", Node::list(keys));
    }
}

fn keys(node: &Node) -> BTreeMap<String, String> {
    match &node.kind {
        NodeKind::Map(entries) => entries
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), entry.node.scalar()?.to_owned())))
            .collect(),
        NodeKind::List(nodes) => {
            let texts = nodes.iter().filter_map(Node::scalar);
            texts
                .enumerate()
                .map(|(index, key)| (format!("{index:04}"), key.to_owned()))
                .collect()
        }
        NodeKind::Scalar { .. } => BTreeMap::new(),
    }
}
