//! Reads the layers of the configuration below a root and merges them.
//!
//! Nothing fails here: a layer that cannot be read is replaced by its last good copy or left out, a value
//! that does not fit is left out before it can hide a lower layer's, and the problem is returned beside
//! the configuration that the rest makes.

mod export;
pub mod include;
mod last_good;
mod metadata;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::config::Config;
use crate::diagnostic::{Diagnostic, Severity};
use crate::document::{self, Document};
use crate::kernel_line;
use crate::substitute;
use crate::validate;
use crate::yaml::scalar::{self, Dialect};
use crate::yaml::tree::{Node, NodeKind};
use metadata::Metadata;

pub use crate::load::choices::Switchable;
pub use export::export;

const DEFAULTS: &str = "usr/share/ros/os-config.yml";
const OEM: &str = "usr/share/ros/oem/oem-config.yml";
const CONF: &str = "var/lib/rancher/conf";
const FOLDER: &str = "cloud-config.d";
const STORED: &str = "cloud-config.yml";
/// How the names of cloud-configs begin that a data source's vendor-data was saved as.
const VENDORS: &str = "cloud-config.d/boot-vendor";
const METADATA: &str = "var/lib/rancher/conf/metadata";
const CMDLINE: &str = "proc/cmdline";
const KERNEL_LINE: &str = "kernel command line";

/// The configuration and what was wrong with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The merged layers, typed.
    pub config: Config,
    /// The merged layers, untyped; without passwords.
    pub value: Value,
    /// What was left out, and what has no effect.
    pub problems: Vec<Diagnostic>,
}

/// Loads everything below `root`.
pub fn load(root: &Path) -> Loaded {
    load_choosing(root, &BTreeMap::new())
}

/// The same, with other consoles and engines than the configuration chooses.
pub fn load_choosing(root: &Path, choices: &BTreeMap<Switchable, String>) -> Loaded {
    let mut problems = Vec::new();
    let metadata = Metadata::read(root, &mut problems);
    let mut tree = image_layers(root, &mut problems);
    let mut user = user_layers(root, &metadata, &mut problems);
    for (switchable, name) in choices {
        let path: Vec<&str> = switchable.key().split('.').collect();
        user.insert_path(&path, Node::text(name));
    }
    // What the user says of a service counts more than its definition.
    let switchables = choices::layer(root, &tree, &user, &mut problems);
    tree.merge(include::layer(root, &tree, &user, &mut problems));
    tree.merge(switchables.tree.clone());
    tree.merge(user);
    metadata.apply(root, &mut tree);
    force_debug(&mut tree);
    let mut value = tree.to_value(Dialect::Core);
    export::without_passwords(&mut value);
    expand_services(&mut tree, &mut problems);
    let (mut config, _) = Config::read(&tree.to_value(Dialect::Text));
    switchables.name(&mut config.rancher.services);
    config.expand_engines();
    let of_the_whole = [
        config.expand_agent(),
        config.expand_volume_containers(),
        config.take_out_services_without_image(),
        config.read_env_files(root),
        config.expand_scaled(),
    ];
    config.name_containers();
    problems.extend(
        of_the_whole
            .concat()
            .into_iter()
            .map(|found| found.in_file("configuration")),
    );
    Loaded {
        config,
        value,
        problems,
    }
}

/// A document by itself, typed; what is wrong in it is left out.
pub fn document(bytes: &[u8]) -> Result<Config, Diagnostic> {
    let document = document::parse(bytes)?;
    Ok(Config::read(&document.tree.to_value(Dialect::Text)).0)
}

/// The user's files below `root`, in the order in which they are merged.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let conf = root.join(CONF);
    let names = user_files(&conf).into_iter();
    names
        .map(|name| conf.join(name))
        .filter(|path| path.is_file())
        .collect()
}

/// Keeps a copy of every user's file that has no error, for the day when it cannot be read.
pub fn remember_good(root: &Path) {
    let conf = root.join(CONF);
    for file in user_files(&conf) {
        let Some(Ok(bytes)) = read_bounded(&conf.join(&file)) else {
            continue;
        };
        let problems = validate::validate(&bytes, "");
        if !problems.iter().any(Diagnostic::is_error) {
            // What cannot be kept is only missing later, and that is said then.
            let _ = last_good::keep(&conf, &file, &bytes);
        }
    }
}

/// What the image says, and its vendor. The built-in defaults stand below, so that a damaged file costs
/// services and not the machine.
fn image_layers(root: &Path, problems: &mut Vec<Diagnostic>) -> Node {
    let mut tree = document::parse(crate::DEFAULTS.as_bytes())
        .map_or_else(|_| Node::empty_map(), |known| known.tree);
    for file in [DEFAULTS, OEM] {
        let Some(bytes) = read_bounded(&root.join(file)) else {
            continue;
        };
        let name = format!("/{file}");
        match bytes.and_then(|bytes| document::parse(&bytes)) {
            Ok(document) => tree.merge(fitting(document, &name, problems)),
            Err(unusable) => {
                problems.push(unusable.in_file(&name).with_note("it is left out"));
            }
        }
    }
    tree
}

/// What the user says: files, then the kernel line.
fn user_layers(root: &Path, metadata: &Metadata, problems: &mut Vec<Diagnostic>) -> Node {
    let conf = root.join(CONF);
    let mut tree = Node::empty_map();
    for file in user_files(&conf) {
        if let Some(layer) = user_layer(&conf, &file, metadata, problems) {
            tree.merge(layer);
        }
    }
    tree.merge(kernel_line(root, problems));
    tree
}

/// `cloud-config.d/*` by name, then `cloud-config.yml`. Names with a leading dot, and what an interrupted
/// write or an editor leaves behind, are none of them.
fn user_files(conf: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(conf.join(FOLDER))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| {
            let name = name.to_string_lossy();
            !(name.starts_with('.') || name.ends_with(".new") || name.ends_with('~'))
        })
        .map(|name| Path::new(FOLDER).join(name))
        .collect();
    names.sort();
    names.push(STORED.into());
    names
}

fn user_layer(
    conf: &Path,
    file: &Path,
    metadata: &Metadata,
    problems: &mut Vec<Diagnostic>,
) -> Option<Node> {
    let name = format!("/{CONF}/{}", file.display());
    let read = |bytes: Vec<u8>| {
        document::parse(&bytes).map(|mut document| {
            document
                .tree
                .map_scalars(&mut |text| substitute::addresses(text, &metadata.addresses));
            document
        })
    };
    match read_bounded(&conf.join(file))?.and_then(read) {
        Ok(document) => Some(fitting(document, &name, problems)),
        Err(unusable) => {
            let good = last_good::read(conf, file).and_then(|bytes| read(bytes).ok());
            let instead = if good.is_some() {
                "its last good copy is used"
            } else {
                "it is left out"
            };
            problems.push(unusable.in_file(&name).with_note(instead));
            good.map(|document| fitting(document, &name, &mut Vec::new()))
        }
    }
}

/// The part of a document that fits the types; the rest becomes problems. What has no effect in a vendor's
/// document is nothing that the user could mend.
fn fitting(document: Document, name: &str, problems: &mut Vec<Diagnostic>) -> Node {
    let (_, findings) = Config::read(&document.tree.to_value(Dialect::Text));
    let is_vendors = name.contains(VENDORS);
    problems.extend(
        validate::validate_document(&document, name)
            .into_iter()
            .filter(|problem| !is_vendors || problem.is_error()),
    );
    with_present_names(document.tree.without(&wrong_paths(&findings)))
}

/// Old names of keys become the present ones, so that one layer's replaces the other's.
fn with_present_names(mut tree: Node) -> Node {
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

fn wrong_paths(findings: &[Diagnostic]) -> BTreeSet<String> {
    let wrong = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    wrong.map(|finding| finding.key_path.clone()).collect()
}

fn kernel_line(root: &Path, problems: &mut Vec<Diagnostic>) -> Node {
    let line = fs::read(root.join(CMDLINE)).unwrap_or_default();
    let (tree, refused) = kernel_line::parse_tree(String::from_utf8_lossy(&line).trim_end());
    problems.extend(
        refused
            .into_iter()
            .map(|message| Diagnostic::error("", message).in_file(KERNEL_LINE)),
    );
    let (_, findings) = Config::read(&tree.to_value(Dialect::Text));
    let wrong = wrong_paths(&findings);
    problems.extend(findings.into_iter().map(|found| found.in_file(KERNEL_LINE)));
    with_present_names(tree.without(&wrong))
}

/// The content of a regular file, a little more than the largest at most: enough to see that it is too large.
/// `None` if there is no such file.
pub(crate) fn read_bounded(path: &Path) -> Option<Result<Vec<u8>, Diagnostic>> {
    // Opening a pipe would wait for its other end.
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| {
        file.take(document::LARGEST as u64 + 1)
            .read_to_end(&mut bytes)
    });
    Some(
        read.map(|_| bytes)
            .map_err(|error| Diagnostic::error("", format!("it cannot be read: {error}"))),
    )
}

/// `rancher.debug` switches on every other way to log more.
fn force_debug(tree: &mut Node) {
    let debug = tree
        .get_path(&["rancher", "debug"])
        .and_then(Node::scalar)
        .and_then(scalar::boolean);
    if debug == Some(true) {
        for path in [
            &["rancher", "log"][..],
            &["rancher", "docker", "debug"],
            &["rancher", "system_docker", "debug"],
        ] {
            tree.insert_path(path, Node::plain("true"));
        }
    }
}

/// Puts `rancher.environment` into the definitions of services.
fn expand_services(tree: &mut Node, problems: &mut Vec<Diagnostic>) {
    let environment = Config::read(&tree.to_value(Dialect::Text))
        .0
        .rancher
        .environment;
    let Some(services) = tree
        .get_mut("rancher")
        .and_then(|rancher| rancher.get_mut("services"))
    else {
        return;
    };
    let NodeKind::Map(entries) = &mut services.kind else {
        return;
    };
    for entry in entries {
        let mut missing = BTreeSet::new();
        entry
            .node
            .map_scalars(&mut |text| substitute::variables(text, &environment, &mut missing));
        problems.extend(missing.into_iter().map(|name| {
            Diagnostic::warning(format!("rancher.services.{}", entry.key), format!(
                "${name} is not in rancher.environment and counts as empty; write $$ for a dollar"
            )).in_file("configuration")
        }));
    }
}

pub mod choices;
pub mod legacy_names;
#[cfg(test)]
mod tests;
