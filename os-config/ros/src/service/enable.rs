//! Adds services to the configuration and removes them. Definitions are fetched and checked before the configuration
//! changes.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use os_config::Config;
use os_config::load::include::{self, CATALOGUE, is_address};
use os_config::load::legacy_names::{self, Legacy, legacy};

use crate::config::Store;
use crate::docker;
use crate::service::catalogue;
use crate::service::containers::pull;
use crate::service::definition::{ensure_persistent, ensure_usable, problems_of_file};
use crate::service::included::fetch_definition;

/// Adds services. Nothing is changed unless every definition can be used. With `pull` their images are pulled now, so
/// that the next boot need not wait for them.
pub(super) fn enable(
    root: &Path,
    config: &Config,
    names: &[String],
    pull: bool,
) -> Result<ExitCode> {
    let mut added = Vec::new();
    for name in names {
        if let Some(Legacy::BuiltIn(why)) = legacy(name) {
            println!("{name} needs no service: {why}");
            continue;
        }
        let current = legacy_names::current_name(name);
        if current != name {
            println!("{name} is {current} here");
        }
        if is_address(current) {
            fetch_definition(root, config, current)?;
        } else {
            catalogue::fetch_from_repositories(root, config, CATALOGUE, current)?;
            let file = root.join(include::find_definition(root, CATALOGUE, current));
            ensure_usable(&problems_of_file(&file, current)?, current)?;
            ensure_persistent(current)?;
        }
        added.push(current.to_owned());
    }
    if added.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let code = Store::new(root).include(&added, Some(true))?;
    if pull {
        let known: BTreeSet<String> = config.rancher.services.keys().cloned().collect();
        // The stored cloud-config has just changed: the added services are to be pulled.
        let now = os_config::load::load(root).config;
        docker::runtime()?.block_on(pull::pull_new(now, &known));
    }
    Ok(code)
}

/// Leaves services out from the next boot on.
pub(super) fn disable(root: &Path, config: &Config, names: &[String]) -> Result<ExitCode> {
    exclude(root, config, names, false)
}

/// Removes services from the configuration, which then says nothing about them.
pub(super) fn delete(root: &Path, config: &Config, names: &[String]) -> Result<ExitCode> {
    exclude(root, config, names, true)
}

fn exclude(root: &Path, config: &Config, names: &[String], forget: bool) -> Result<ExitCode> {
    let listed = catalogue::catalogue_names(root, config, CATALOGUE);
    let added = &config.rancher.services_include;
    let mut excluded: BTreeSet<String> = BTreeSet::new();
    for name in names {
        if let Some(Legacy::BuiltIn(why)) = legacy(name) {
            println!("{name} is no service: {why}");
            continue;
        }
        // The catalogue may have had another name for the service when it was added.
        let current = legacy_names::current_name(name);
        let spellings = added
            .keys()
            .filter(|known| legacy_names::current_name(known) == current);
        excluded.extend(spellings.cloned());
        let is_known = added.contains_key(name) || listed.iter().any(|known| known == current);
        ensure!(
            is_known || excluded.contains(current),
            "{name} is none of the services that can be added\nhint: `ros service list` shows them; \
             `ros service stop` stops others until the next boot"
        );
        excluded.insert(current.to_owned());
    }
    let names: Vec<String> = excluded.into_iter().collect();
    if names.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let code = Store::new(root).include(&names, (!forget).then_some(false))?;
    if !forget {
        return Ok(code);
    }
    // The stored cloud-config has just changed: another file may still add a service.
    let now = os_config::load::load(root).config;
    for name in &names {
        if now.rancher.services_include.get(name) == Some(&true) {
            eprintln!(
                "ros: {name} is still added by another file of the configuration; `disable` leaves it out"
            );
        }
    }
    Ok(code)
}
