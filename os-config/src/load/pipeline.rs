//! From files to the typed configuration: reads the layers, merges them, expands short forms, types the result.

use std::collections::BTreeMap;
use std::path::Path;

use serde_yaml::Value;

use crate::compose::service::Service;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::document;
use crate::load::disclosure::public_part::PublicPart;
use crate::load::disclosure::secrets;
use crate::load::layers::{image_layers, own_layers, user_layers};
use crate::load::metadata::Metadata;
use crate::load::type_check::usable_part;
use crate::load::{choices, expand, guest_tools, include};
use crate::switchable::Switchable;
use crate::yaml::scalar::Dialect;
use crate::yaml::tree::{Node, NodeKind};

/// The configuration and its problems.
#[derive(Clone, Debug)]
pub struct LoadedConfig {
    /// The merged layers, typed.
    pub config: Config,
    /// The merged layers, untyped; without passwords.
    pub value: Value,
    /// Values that were left out, and keys without effect.
    pub problems: Vec<Diagnostic>,
    /// The reasons why the definitions of chosen consoles and engines cannot be used. The image's own take their place.
    pub unusable_choices: BTreeMap<Switchable, String>,
    /// The included services whose definitions are still to be fetched.
    pub absent_definitions: Vec<String>,
}

/// Loads the configuration below `root`.
pub fn load(root: &Path) -> LoadedConfig {
    load_with_choices(root, &BTreeMap::new())
}

/// Loads the configuration with the consoles and engines of `choices` in place of the configured consoles and engines.
pub fn load_with_choices(root: &Path, choices: &BTreeMap<Switchable, String>) -> LoadedConfig {
    let mut problems = Vec::new();
    let layers = Layers::read(root, &mut problems);
    complete(root, layers, choices, problems)
}

/// What is merged.
struct Layers {
    image: Node,
    user: Node,
    metadata: Metadata,
}

impl Layers {
    fn read(root: &Path, problems: &mut Vec<Diagnostic>) -> Self {
        let metadata = Metadata::read(root, problems);
        let mut image = image_layers(root, problems);
        let user = user_layers(root, &metadata, problems);
        guest_tools::include(root, &mut image, &user);
        Self {
            image,
            user,
            metadata,
        }
    }
}

/// The merged layers.
struct Merged {
    tree: Node,
    switchables: choices::Layer,
    absent_definitions: Vec<String>,
    /// The image's own definitions of the services that other layers change.
    changed: BTreeMap<String, Service>,
}

/// Merges layers, expands the result and types it.
fn complete(
    root: &Path,
    layers: Layers,
    choices: &BTreeMap<Switchable, String>,
    mut problems: Vec<Diagnostic>,
) -> LoadedConfig {
    let Merged {
        mut tree,
        switchables,
        absent_definitions,
        changed,
    } = merge_layers(root, layers, choices, &mut problems);
    let mut value = tree.to_value(Dialect::Core);
    secrets::remove_passwords(&mut value);
    let environment = expand::substitute_environment(&mut tree, root, &mut problems);
    let (mut config, _) = Config::read(&tree.to_value(Dialect::Text));
    config.rancher.environment = environment;
    for (name, own) in changed {
        if let Some(service) = config.rancher.services.get_mut(&name) {
            service.add_image_parts(&own);
        }
    }
    switchables.label_services(&mut config.rancher.services);
    let findings = expand::expand_config(&mut config, root).into_iter();
    problems.extend(findings.map(|found| found.in_file(MERGED)));
    LoadedConfig {
        config,
        value,
        problems,
        unusable_choices: switchables.unusable,
        absent_definitions,
    }
}

/// The texts of all values below `root` that not everybody may read, in the layers and in the definitions of services.
pub fn hidden_texts(root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let layers = Layers::read(root, &mut problems);
    let merged = merge_layers(root, layers, &BTreeMap::new(), &mut problems);
    let image = own_layers(root, &mut problems).to_value(Dialect::Core);
    PublicPart::split(&merged.tree.to_value(Dialect::Core), &image).hidden
}

fn merge_layers(
    root: &Path,
    layers: Layers,
    choices: &BTreeMap<Switchable, String>,
    problems: &mut Vec<Diagnostic>,
) -> Merged {
    let Layers {
        image: mut tree,
        mut user,
        metadata,
    } = layers;
    for (switchable, name) in choices {
        let path: Vec<&str> = switchable.key().split('.').collect();
        user.insert_path(&path, Node::text(name));
    }
    // The user's own keys of a service override its definition.
    let switchables = choices::layer(root, &tree, &user, problems);
    let included = include::layer(root, &tree, &user, problems);
    let changed = changed_services(&tree, &[&included.tree, &switchables.tree, &user]);
    tree.merge(included.tree);
    tree.merge(switchables.tree.clone());
    tree.merge(user);
    metadata.fill_missing(root, &mut tree);
    expand::enable_debug_logs(&mut tree);
    Merged {
        tree,
        switchables,
        absent_definitions: included.absent,
        changed,
    }
}

/// The image's own definitions of the services that other layers change.
fn changed_services(image: &Node, layers: &[&Node]) -> BTreeMap<String, Service> {
    const SERVICES: [&str; 2] = ["rancher", "services"];
    let has = |tree: &Node, name: &str| {
        let services = tree.get_path(&SERVICES);
        services.is_some_and(|services| services.get(name).is_some())
    };
    let Some(NodeKind::Map(own)) = image.get_path(&SERVICES).map(|node| &node.kind) else {
        return BTreeMap::new();
    };
    let changed = own
        .iter()
        .filter(|entry| layers.iter().any(|layer| has(layer, &entry.key)));
    let mut tree = Node::empty_map();
    for entry in changed {
        tree.insert_path(&[&SERVICES[..], &[&entry.key]].concat(), entry.node.clone());
    }
    Config::read(&tree.to_value(Dialect::Text))
        .0
        .rancher
        .services
}

/// Warnings about names in a document that this machine does not know: services, consoles, engines. The machine's image
/// is below `root`; without an image nothing is known.
pub fn unknown_names(root: &Path, bytes: &[u8]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let image = image_layers(root, &mut problems);
    let has_services = image.get_path(&["rancher", "services"]).is_some();
    let Some(document) = document::parse(bytes).ok().filter(|_| has_services) else {
        return Vec::new();
    };
    let positions = document.positions.clone();
    let layers = Layers {
        image,
        user: usable_part(document, "", &mut Vec::new()),
        metadata: Metadata::default(),
    };
    let loaded = complete(root, layers, &BTreeMap::new(), Vec::new());
    // Another document may have the rest of an incomplete service, so that errors are none.
    let warnings = loaded
        .problems
        .into_iter()
        .filter(|found| !found.is_error() && found.file == MERGED);
    warnings
        .map(|found| match positions.get(&found.key_path) {
            Some(position) => found.with_position(*position),
            None => found,
        })
        .collect()
}

/// The source of problems that only the merged layers show.
const MERGED: &str = "configuration";

/// A single document, typed; wrong values are left out. An error if it cannot be parsed.
pub fn document(bytes: &[u8]) -> Result<Config, Diagnostic> {
    let document = document::parse(bytes)?;
    Ok(Config::read(&document.tree.to_value(Dialect::Text)).0)
}
