//! From files to the typed configuration: reads the layers, merges them, expands short forms, types the result.

use std::collections::BTreeMap;
use std::path::Path;

use serde_yaml::Value;

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::document;
use crate::load::disclosure::public_part::PublicPart;
use crate::load::disclosure::secrets;
use crate::load::layers::{image_layers, own_layers, user_layers};
use crate::load::metadata::Metadata;
use crate::load::{choices, expand, include};
use crate::switchable::Switchable;
use crate::yaml::scalar::Dialect;
use crate::yaml::tree::Node;

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
}

/// Loads the configuration below `root`.
pub fn load(root: &Path) -> LoadedConfig {
    load_with_choices(root, &BTreeMap::new())
}

/// Loads the configuration with the consoles and engines of `choices` in place of the configured consoles and engines.
pub fn load_with_choices(root: &Path, choices: &BTreeMap<Switchable, String>) -> LoadedConfig {
    let mut problems = Vec::new();
    let (mut tree, switchables) = merge_layers(root, choices, &mut problems);
    let mut value = tree.to_value(Dialect::Core);
    secrets::remove_passwords(&mut value);
    expand::substitute_environment(&mut tree, &mut problems);
    let (mut config, _) = Config::read(&tree.to_value(Dialect::Text));
    switchables.label_services(&mut config.rancher.services);
    let findings = expand::expand_config(&mut config, root).into_iter();
    problems.extend(findings.map(|found| found.in_file("configuration")));
    LoadedConfig {
        config,
        value,
        problems,
        unusable_choices: switchables.unusable,
    }
}

/// The texts of all values below `root` that not everybody may read, in the layers and in the definitions of services.
pub fn hidden_texts(root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let (tree, _) = merge_layers(root, &BTreeMap::new(), &mut problems);
    let image = own_layers(root, &mut problems).to_value(Dialect::Core);
    PublicPart::split(&tree.to_value(Dialect::Core), &image).hidden
}

fn merge_layers(
    root: &Path,
    choices: &BTreeMap<Switchable, String>,
    problems: &mut Vec<Diagnostic>,
) -> (Node, choices::Layer) {
    let metadata = Metadata::read(root, problems);
    let mut tree = image_layers(root, problems);
    let mut user = user_layers(root, &metadata, problems);
    for (switchable, name) in choices {
        let path: Vec<&str> = switchable.key().split('.').collect();
        user.insert_path(&path, Node::text(name));
    }
    // The user's own keys of a service override its definition.
    let switchables = choices::layer(root, &tree, &user, problems);
    tree.merge(include::layer(root, &tree, &user, problems));
    tree.merge(switchables.tree.clone());
    tree.merge(user);
    metadata.fill_missing(root, &mut tree);
    expand::enable_debug_logs(&mut tree);
    (tree, switchables)
}

/// A single document, typed; wrong values are left out. An error if it cannot be parsed.
pub fn document(bytes: &[u8]) -> Result<Config, Diagnostic> {
    let document = document::parse(bytes)?;
    Ok(Config::read(&document.tree.to_value(Dialect::Text)).0)
}
