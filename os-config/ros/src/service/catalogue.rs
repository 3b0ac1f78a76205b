//! The catalogues of services, consoles and engines: the image's own, and `rancher.repositories`.
//!
//! Repositories are laid out as RancherOS's: `index.yml` has the names, and each definition is a file below a folder
//! of its first letter. Fetched files are kept.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use os_config::load::include;
use os_config::{Config, Repository};

use crate::service::fetch::fetch;
use crate::service::index;

/// Fetches the indexes of all repositories.
pub(crate) fn update(root: &Path, config: &Config) -> Result<()> {
    for (name, repository) in &config.rancher.repositories {
        index::fetch_index(root, config, &repository.url)
            .with_context(|| format!("rancher.repositories.{name}"))?;
    }
    Ok(())
}

/// The names of a catalogue, sorted: the image's own, and the names in the kept indexes of repositories.
pub(crate) fn catalogue_names(root: &Path, config: &Config, catalogue: &str) -> Vec<String> {
    let mut names = image_names(root, catalogue);
    for repository in config.rancher.repositories.values() {
        let kept = fs::read(index::index_file(root, &repository.url)).unwrap_or_default();
        names.extend(index::names_in_index(&kept, catalogue).unwrap_or_default());
    }
    names.sort();
    names.dedup();
    names
}

/// Fetches the definition of a name that a repository has and the image's catalogue has not. Does nothing for any other
/// name.
pub(crate) fn fetch_from_repositories(
    root: &Path,
    config: &Config,
    catalogue: &str,
    name: &str,
) -> Result<()> {
    let is_plain = !name.is_empty() && !name.contains('/');
    if !is_plain
        || image_names(root, catalogue)
            .iter()
            .any(|known| known == name)
    {
        return Ok(());
    }
    let mut unreachable = None;
    for (repository, Repository { url, .. }) in &config.rancher.repositories {
        let kept = index::index_file(root, url);
        if !kept.exists()
            && let Err(error) = index::fetch_index(root, config, url)
        {
            // Another repository may have it.
            unreachable = Some(error.context(format!("rancher.repositories.{repository}")));
            continue;
        }
        let index = fs::read(&kept).with_context(|| format!("reading {}", kept.display()))?;
        if index::names_in_index(&index, catalogue)?
            .iter()
            .any(|known| known == name)
        {
            let first: String = name.chars().take(1).collect();
            let address = format!("{}/{first}/{name}.yml", url.trim_end_matches('/'));
            let file = include::kept_definition(catalogue, name);
            return fetch(root, config, &address, &file);
        }
    }
    unreachable.map_or(Ok(()), Err)
}

/// The names of a catalogue that the image ships, sorted.
fn image_names(root: &Path, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root.join(folder)).into_iter().flatten();
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some(name.strip_suffix(".yml")?.to_owned())
        })
        .collect();
    names.sort();
    names
}
