//! `rancher.services_include`: services that the configuration includes by name. A definition is in the catalogue, in a
//! file, or in the cache of fetched addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::bounded_file;
use crate::compose::relative_paths;
use crate::compose::service::Service;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::document::{self, Document};
use crate::load::legacy_names::{self, Legacy, legacy};
use crate::load::type_check::usable_part;
use crate::paths::{self, below_root};
use crate::substitute;
use crate::yaml::scalar::{self, Dialect};
use crate::yaml::tree::{MapEntry, Node, NodeKind};

/// The catalogue that the image ships, with a file for each service.
pub const CATALOGUE: &str = "usr/share/ros/services";
/// Definitions that were fetched from addresses.
pub const CACHE: &str = below_root(paths::CACHE);

/// The path of an included service's definition below the root; repositories do not count.
pub fn definition_file(name: &str) -> PathBuf {
    definition_file_in(CATALOGUE, name)
}

/// The path of a name's definition below `root`: the image's catalogue comes before repositories.
pub fn find_definition(root: &Path, catalogue: &str, name: &str) -> PathBuf {
    let file = definition_file_in(catalogue, name);
    let kept = kept_definition(catalogue, name);
    if name.contains('/') || root.join(&file).is_file() {
        return file;
    }
    let present = legacy_names::current_name(name);
    if catalogue == CATALOGUE && present != name && !root.join(&kept).is_file() {
        return definition_file_in(catalogue, present);
    }
    kept
}

/// The path of the copy of a repository's definition, below the root.
pub fn kept_definition(catalogue: &str, name: &str) -> PathBuf {
    let kind = Path::new(catalogue).file_name().unwrap_or_default();
    Path::new(CACHE).join(kind).join(format!("{name}.yml"))
}

fn definition_file_in(catalogue: &str, name: &str) -> PathBuf {
    if is_address(name) {
        Path::new(CACHE).join(cache_name(name))
    } else if name.starts_with('/') {
        PathBuf::from(name.trim_start_matches('/'))
    } else {
        Path::new(catalogue).join(format!("{name}.yml"))
    }
}

/// Whether a definition's path stays below the root.
pub(crate) fn is_below_root(file: &Path) -> bool {
    !file
        .components()
        .any(|part| part == std::path::Component::ParentDir)
}

/// The file name of an address in the cache: readable, and different for each address.
fn cache_name(url: &str) -> String {
    const LONGEST: usize = 80;
    // FNV-1a is enough: an attacker gains nothing by two addresses with the same name.
    let hash = url.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let readable: String = url
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .take(LONGEST)
        .collect();
    format!("{readable}-{hash:016x}.yml")
}

/// The included services.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) tree: Node,
    /// The names whose definitions are still on the network.
    pub(crate) absent: Vec<String>,
}

/// The services that image and user include, as a layer below the user's own.
pub(crate) fn layer(
    root: &Path,
    image: &Node,
    user: &Node,
    problems: &mut Vec<Diagnostic>,
) -> Layer {
    let mut included = Node::empty_map();
    let mut absent = Vec::new();
    let has_repositories = [image, user].iter().any(|tree| has_repositories(tree));
    for name in included_names(image, user) {
        let file = find_definition(root, CATALOGUE, &name);
        if !is_below_root(&file) {
            problems.push(missing_definition(&name));
            continue;
        }
        let shown = format!("/{}", file.display());
        match bounded_file::read(&root.join(&file)) {
            None if matches!(legacy(&name), Some(Legacy::BuiltIn(_))) => {}
            None if matches!(legacy(&name), Some(Legacy::Replaced(_))) => {
                problems.push(missing_definition(&name));
            }
            None if is_address(&name) || has_repositories && !name.contains('/') => {
                absent.push(name);
            }
            None => problems.push(missing_definition(&name)),
            Some(bytes) => match bytes.and_then(|bytes| parse(&bytes, folder(&name))) {
                Ok(document) => {
                    included.merge(usable_part(document, &shown, problems));
                    included.merge(replica_counts(root, &file, problems));
                }
                Err(unusable) => {
                    problems.push(
                        unusable
                            .in_file(&shown)
                            .with_note("the service is left out"),
                    );
                }
            },
        }
    }
    Layer {
        tree: included,
        absent,
    }
}

fn has_repositories(tree: &Node) -> bool {
    let repositories = tree.get_path(&["rancher", "repositories"]);
    matches!(repositories.map(|node| &node.kind), Some(NodeKind::Map(entries)) if !entries.is_empty())
}

/// Whether the name of a service is the address of its definition.
pub fn is_address(name: &str) -> bool {
    name.starts_with("http://") || name.starts_with("https://")
}

/// The numbers of containers in Rancher's `rancher-compose.yml` beside a `docker-compose.yml`. Its other keys are for
/// Rancher alone.
fn replica_counts(root: &Path, file: &Path, problems: &mut Vec<Diagnostic>) -> Node {
    let mut scales = Node::empty_map();
    let beside = match file.file_name().and_then(|name| name.to_str()) {
        Some("docker-compose.yml") => file.with_file_name("rancher-compose.yml"),
        _ => return scales,
    };
    let Some(bytes) = bounded_file::read(&root.join(&beside)) else {
        return scales;
    };
    match bytes.and_then(|bytes| parse(&bytes, None)) {
        Ok(document) => {
            let services = document.tree.get_path(&["rancher", "services"]);
            if let Some(NodeKind::Map(services)) = services.map(|node| &node.kind) {
                for service in services {
                    if let Some(scale) = service.node.get("scale") {
                        let path = ["rancher", "services", &service.key, "scale"];
                        scales.insert_path(&path, scale.clone());
                    }
                }
            }
        }
        Err(unusable) => {
            let name = format!("/{}", beside.display());
            problems.push(unusable.in_file(&name));
        }
    }
    scales
}

/// The folder of a definition whose name is an absolute path.
pub fn folder(name: &str) -> Option<&Path> {
    let file = Path::new(name);
    file.parent().filter(|_| file.is_absolute())
}

/// A definition as a cloud-config: a compose file of any version, moved below `rancher.services`. Relative paths begin
/// at `folder`, if there is one.
pub fn parse(bytes: &[u8], folder: Option<&Path>) -> Result<Document, Diagnostic> {
    let mut document = document::parse(bytes)?;
    let tree = std::mem::replace(&mut document.tree, Node::empty_map());
    // Positions stay the positions in the file; keys get the prefix `rancher.services`.
    let has_services = tree.get("services").is_some();
    if has_services {
        document.diagnostics.extend(compose_warnings(&tree));
    }
    let mut services = match tree.get("services") {
        Some(services) => services.clone(),
        None => tree,
    };
    if let Some(folder) = folder {
        relative_paths::resolve(&mut services, folder);
    }
    document
        .tree
        .insert_path(&["rancher", "services"], services);
    let positions = std::mem::take(&mut document.positions);
    document.positions = positions
        .into_iter()
        .filter_map(|(path, position)| {
            let below = if has_services {
                path.strip_prefix("services.")?
            } else {
                path.as_str()
            };
            Some((format!("rancher.services.{below}"), position))
        })
        .collect();
    Ok(document)
}

impl Document {
    /// Its services, without the parts that do not fit the types.
    pub fn services(&self) -> BTreeMap<String, Service> {
        services_of(&self.tree)
    }

    /// As [`Self::services`], with the values of these variables.
    pub fn services_with(
        &self,
        environment: &BTreeMap<String, String>,
    ) -> BTreeMap<String, Service> {
        let mut tree = self.tree.clone();
        let mut missing = BTreeSet::new();
        tree.map_scalars(&mut |text| substitute::variables(text, environment, &mut missing));
        services_of(&tree)
    }
}

fn services_of(tree: &Node) -> BTreeMap<String, Service> {
    let (config, _) = Config::read(&tree.to_value(Dialect::Text));
    config.rancher.services
}

/// Warnings about compose's keys beside `services`. `version`, `name` and `x-…` need no effect, and Docker makes
/// volumes when they are used; options of volumes and all other keys have no effect.
fn compose_warnings(tree: &Node) -> Vec<Diagnostic> {
    let NodeKind::Map(entries) = &tree.kind else {
        return Vec::new();
    };
    let is_plain = |volume: &MapEntry| match &volume.node.kind {
        NodeKind::Map(options) => options.is_empty(),
        _ => true,
    };
    entries
        .iter()
        .filter(|entry| match (entry.key.as_str(), &entry.node.kind) {
            ("services" | "version" | "name", _) => false,
            ("volumes", NodeKind::Map(volumes)) => !volumes.iter().all(is_plain),
            ("volumes", _) => false,
            (key, _) => !key.starts_with("x-"),
        })
        .map(|entry| {
            Diagnostic::warning(
                entry.key.as_str(),
                "a key of compose that has no effect here",
            )
            .with_position((entry.at.line, entry.at.column))
        })
        .collect()
}

fn missing_definition(name: &str) -> Diagnostic {
    let hint = match legacy(name) {
        Some(Legacy::Replaced(how)) => how,
        _ if name.contains('/') => "there is no such file",
        _ => {
            "the catalogue has no service of this name; `ros service list --all` shows those it has"
        }
    };
    Diagnostic::warning(format!("rancher.services_include.{name}"), hint).in_file("configuration")
}

/// The included names, in the order of the documents.
fn included_names(image: &Node, user: &Node) -> Vec<String> {
    let mut include = Node::empty_map();
    for tree in [image, user] {
        if let Some(node) = tree.get_path(&["rancher", "services_include"]) {
            include.merge(node.clone());
        }
    }
    let NodeKind::Map(entries) = &include.kind else {
        return Vec::new();
    };
    entries
        .iter()
        .filter(|entry| entry.node.scalar().and_then(scalar::boolean) == Some(true))
        .map(|entry| entry.key.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{definition_file, parse};
    use crate::yaml::scalar::Dialect;

    #[test]
    fn where_definitions_are() {
        for (name, expected) in [
            ("crontab", "usr/share/ros/services/crontab.yml"),
            ("/var/lib/rancher/conf/a.yml", "var/lib/rancher/conf/a.yml"),
        ] {
            assert_eq!(definition_file(name).to_str(), Some(expected));
        }
        let url = definition_file("http://h/a.yml").display().to_string();
        assert!(
            url.starts_with("var/lib/rancher/cache/http___h_a_yml-"),
            "{url}"
        );
        assert_ne!(
            definition_file("http://h/a?b"),
            definition_file("http://h/a_b")
        );
    }

    #[test]
    fn keys_of_compose_without_effect_are_named() {
        for (text, expected) in [
            (
                "services: {a: {image: x}}\nversion: '3'\nname: n\nx-a: 1\nvolumes: {v: {}, w: }",
                "",
            ),
            (
                "services: {a: {image: x}}\nnetworks: {n: {}}\nvolumes: {v: {driver: nfs}}\nsecrets: {}",
                "networks 2 volumes 3 secrets 4",
            ),
            // Version 1: every key is a service.
            ("networks: {image: x}", ""),
        ] {
            let document = parse(text.as_bytes(), None).unwrap();
            let found: Vec<String> = document
                .diagnostics
                .iter()
                .map(|found| format!("{} {}", found.key_path, found.position.unwrap().0))
                .collect();
            assert_eq!(found.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn compose_files_of_every_version() {
        for text in [
            "web: {image: x}",
            "version: '2'\nservices: {web: {image: x}}",
            "services:\n  web: {image: x}\nvolumes: {a: {}}",
        ] {
            let document = parse(text.as_bytes(), None).unwrap();
            let expected: serde_yaml::Value =
                serde_yaml::from_str("rancher: {services: {web: {image: x}}}").unwrap();
            assert_eq!(document.tree.to_value(Dialect::Core), expected, "{text}");
            assert!(document.positions.contains_key("rancher.services.web"));
        }
    }
}
