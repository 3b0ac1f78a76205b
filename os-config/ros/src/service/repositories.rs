//! `rancher.repositories`: catalogues beside the image's own, laid out as RancherOS's: `index.yml` names services,
//! consoles and engines, and each has a file below a folder of its first letter. What was fetched is kept.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use os_config::Config;
use os_config::load::include::{self, definition_file};
use serde_yaml::Value;

use super::definition::{fetch, http_client};

/// Fetches what all repositories have in their catalogues.
pub(crate) fn update(root: &Path, config: &Config) -> Result<()> {
    for (name, url) in &config.rancher.repositories {
        fetch_index(root, config, url).with_context(|| format!("rancher.repositories.{name}"))?;
    }
    Ok(())
}

/// The names of a catalogue, sorted: the image's own, and those of the repositories that were fetched.
pub(crate) fn catalogue_names(root: &Path, config: &Config, catalogue: &str) -> Vec<String> {
    let mut names = super::list::catalogue(root, catalogue);
    for url in config.rancher.repositories.values() {
        let kept = fs::read(root.join(definition_file(&index_url(url)))).unwrap_or_default();
        names.extend(names_in_index(&kept, catalogue).unwrap_or_default());
    }
    names.sort();
    names.dedup();
    names
}

/// Fetches the definition of a name that the image's catalogue does not have and a repository does; any other
/// name is left alone.
pub(crate) fn fetch_from_repositories(
    root: &Path,
    config: &Config,
    catalogue: &str,
    name: &str,
) -> Result<()> {
    let is_plain = !name.is_empty() && !name.contains('/');
    if !is_plain
        || super::list::catalogue(root, catalogue)
            .iter()
            .any(|known| known == name)
    {
        return Ok(());
    }
    let mut unreachable = None;
    for (repository, url) in &config.rancher.repositories {
        let kept = root.join(definition_file(&index_url(url)));
        if !kept.exists()
            && let Err(error) = fetch_index(root, config, url)
        {
            // Another one may have it.
            unreachable = Some(error.context(format!("rancher.repositories.{repository}")));
            continue;
        }
        let index = fs::read(&kept).with_context(|| format!("reading {}", kept.display()))?;
        if names_in_index(&index, catalogue)?
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

fn index_url(url: &str) -> String {
    format!("{}/index.yml", url.trim_end_matches('/'))
}

fn fetch_index(root: &Path, config: &Config, url: &str) -> Result<()> {
    let address = index_url(url);
    let answer = http_client(config, &address).get(&address, &[])?;
    let bytes = answer.with_context(|| format!("{address}: there is nothing (404)"))?;
    names_in_index(&bytes, include::CATALOGUE).with_context(|| address.clone())?;
    let file = root.join(definition_file(&address));
    os_config::atomic_file::replace(&file, &bytes, 0o600)
        .with_context(|| format!("writing {}", file.display()))
}

/// The names of an index below the last part of a catalogue's path: `services`, `consoles`, `engines`.
fn names_in_index(index: &[u8], catalogue: &str) -> Result<Vec<String>> {
    let value: Value = serde_yaml::from_slice(index).context("reading index.yml")?;
    if !value.is_mapping() {
        bail!("index.yml: expected lists of services, consoles and engines");
    }
    let kind = catalogue.rsplit('/').next().unwrap_or_default();
    let list = value.get(kind).and_then(Value::as_sequence);
    let names = list.into_iter().flatten().filter_map(Value::as_str);
    // A name becomes a file's.
    Ok(names
        .filter(|name| !name.contains('/') && !name.starts_with('.'))
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::names_in_index;

    #[test]
    fn what_an_index_lists() {
        let index = b"services: [a, ../b, .c, 5]\nconsoles:\n- debian\n";
        assert_eq!(
            names_in_index(index, "usr/share/ros/services").unwrap(),
            ["a"]
        );
        assert_eq!(
            names_in_index(index, "usr/share/ros/consoles").unwrap(),
            ["debian"]
        );
        assert!(
            names_in_index(index, "usr/share/ros/engines")
                .unwrap()
                .is_empty()
        );
        for wrong in ["<html>", "- a", "a: ["] {
            assert!(
                names_in_index(wrong.as_bytes(), "services").is_err(),
                "{wrong}"
            );
        }
    }
}
