//! The console and the engine that the configuration chooses. A definition, from the catalogue, from a file, or fetched
//! from an address before, lies over the image's own service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::bounded_file;
use crate::compose::service::Service;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::load::include;
use crate::load::type_check::usable_part;
use crate::switchable::{DEFAULT, Switchable};
use crate::yaml::tree::Node;

impl Switchable {
    /// The file with the definition of `name`, below `root`.
    pub fn definition_file(self, root: &Path, name: &str) -> PathBuf {
        include::find_definition(root, self.catalogue(), name)
    }

    /// The name of the image's own console or engine.
    pub fn default_name(self, config: &Config) -> &str {
        match self {
            Self::Console => DEFAULT,
            Self::Engine => &config.rancher.default_engine,
        }
    }

    /// The name that the configuration chooses, or else the image's own.
    pub fn chosen_name(self, config: &Config) -> &str {
        let name = match self {
            Self::Console => Some(config.rancher.console.as_str()),
            Self::Engine => config.rancher.docker.engine.as_deref(),
        };
        self.canonical_name(name.unwrap_or_default(), self.default_name(config))
    }
}

/// The chosen definitions, as a layer between the image and the user.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) tree: Node,
    /// The names of console and engine with this layer.
    names: Vec<(Switchable, String)>,
    /// The reasons why the definitions of chosen names cannot be used.
    pub(crate) unusable: BTreeMap<Switchable, String>,
}

/// Reads the definitions that image and user choose. The image's own stays in place of an unreadable definition.
pub(crate) fn layer(
    root: &Path,
    image: &Node,
    user: &Node,
    problems: &mut Vec<Diagnostic>,
) -> Layer {
    let scalar_at = |path: &[&str]| {
        let node = user.get_path(path).or_else(|| image.get_path(path));
        node.and_then(Node::scalar).unwrap_or_default()
    };
    let mut layer = Layer {
        tree: Node::empty_map(),
        names: Vec::new(),
        unusable: BTreeMap::new(),
    };
    for switchable in Switchable::ALL {
        let own = match switchable {
            Switchable::Console => DEFAULT,
            Switchable::Engine => scalar_at(&["rancher", "defaults", "docker", "engine"]),
        };
        let path: Vec<&str> = switchable.key().split('.').collect();
        let mut name = switchable.canonical_name(scalar_at(&path), own);
        if name != own && !switchable.means_none(name) {
            match read_definition(root, switchable, name, problems) {
                Ok(service) => layer
                    .tree
                    .insert_path(&["rancher", "services", switchable.service()], service),
                Err(reason) => {
                    name = own;
                    let problem = Diagnostic::warning(switchable.key(), &reason)
                        .with_note("the image's own is used");
                    problems.push(problem.in_file("configuration"));
                    layer.unusable.insert(switchable, reason);
                }
            }
        }
        layer.names.push((switchable, name.to_owned()));
    }
    layer
}

impl Layer {
    /// Labels the services with the names, and removes the console if the user wants none.
    pub(crate) fn label_services(&self, services: &mut BTreeMap<String, Service>) {
        for (switchable, name) in &self.names {
            if switchable.means_none(name) {
                services.remove(switchable.service());
            } else if let Some(service) = services.get_mut(switchable.service()) {
                service
                    .labels
                    .insert(switchable.label().to_owned(), name.clone());
                // Other programs find console and engine by the name of the service.
                service.container_name = None;
            }
        }
    }
}

/// The service of a definition that is the console or the engine.
fn read_definition(
    root: &Path,
    switchable: Switchable,
    name: &str,
    problems: &mut Vec<Diagnostic>,
) -> Result<Node, String> {
    let word = switchable.display_name();
    let file = switchable.definition_file(root, name);
    let bytes = include::is_below_root(&file)
        .then(|| bounded_file::read(&root.join(&file)))
        .flatten();
    let Some(bytes) = bytes else {
        return Err(format!(
            "there is no {word} {name:?} here (`ros {word} list` shows which there are)"
        ));
    };
    let shown = format!("/{}", file.display());
    let document = bytes
        .and_then(|bytes| include::parse(&bytes, include::folder(name)))
        .map_err(|unusable| format!("{shown}: {}", unusable.message))?;
    let service = switchable.service();
    usable_part(document, &shown, problems)
        .get_path(&["rancher", "services", service])
        .cloned()
        .ok_or_else(|| format!("{shown}: it has no service {service:?}, which a {word} is"))
}
