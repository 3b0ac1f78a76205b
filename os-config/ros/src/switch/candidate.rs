//! The candidate of a switch: the console or engine of a name, found before any running container is touched.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use os_config::Switchable;
use os_config::compose::service::Service;
use os_config::load::include::is_address;
use os_config::{Config, LoadedConfig};

use crate::service;
use crate::switch::definition_backup::{self, DefinitionBackup};

/// A console or engine with its definition.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(super) switchable: Switchable,
    pub(super) name: String,
    /// The configuration that names this candidate.
    config: Config,
    /// Absent for the console `none`.
    pub(super) service: Option<Service>,
    /// The image's own console or engine: there is nothing to pull.
    pub(super) is_own: bool,
    backup: Option<DefinitionBackup>,
}

impl Candidate {
    /// Finds the definition of `name`, in the repositories of `config` too; nothing is changed if there is none.
    pub(crate) fn find(config: &Config, switchable: Switchable, name: &str) -> Result<Self> {
        let root = Path::new("/");
        service::ensure_persistent(name)?;
        let mut backup = None;
        if is_address(name) {
            let file = root.join(switchable.definition_file(root, name));
            let begun = DefinitionBackup::begin(file);
            service::fetch(root, config, name, begun.file())?;
            backup = Some(begun);
        } else if switchable.canonical_name(name, "") == name
            && name != switchable.default_name(config)
            && !switchable.means_none(name)
        {
            service::fetch_from_repositories(root, config, switchable.catalogue(), name)?;
        }
        // The definition may have been fetched just now, and the configuration may name another.
        let chosen = BTreeMap::from([(switchable, name.to_owned())]);
        let loaded = os_config::load::load_with_choices(root, &chosen);
        Self::from_loaded(switchable, name, loaded, backup)
    }

    fn from_loaded(
        switchable: Switchable,
        name: &str,
        loaded: LoadedConfig,
        backup: Option<DefinitionBackup>,
    ) -> Result<Self> {
        let own = switchable.default_name(&loaded.config).to_owned();
        let name = switchable.canonical_name(name, &own).to_owned();
        let services = &loaded.config.rancher.services;
        let service = services.get(switchable.service()).cloned();
        let found = service
            .as_ref()
            .and_then(|service| service.labels.get(switchable.label()));
        if !switchable.means_none(&name) && found != Some(&name) {
            let reason = loaded.unusable_choices.get(&switchable);
            bail!(
                "{}",
                reason.map_or("there is no definition of it", String::as_str)
            );
        }
        Ok(Self {
            switchable,
            is_own: name == own,
            name,
            config: loaded.config,
            service,
            backup,
        })
    }

    /// Keeps the definition: this candidate is chosen.
    pub(super) fn keep_definition(&self) {
        if let Some(backup) = &self.backup {
            definition_backup::keep(backup.file());
        }
    }

    /// The configuration that names this candidate.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The name of the candidate's image; absent for the console `none`.
    pub(crate) fn image(&self) -> Option<&str> {
        self.service.as_ref().map(|service| service.image.as_str())
    }
}
