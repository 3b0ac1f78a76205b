//! `index.yml` of a repository: the names of its services, consoles and engines.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use os_config::Config;
use os_config::load::include::{self, definition_file};
use serde_yaml::Value;

use crate::service::fetch::http_client;

/// The file below `root` that keeps the index of a repository.
pub(super) fn index_file(root: &Path, url: &str) -> PathBuf {
    root.join(definition_file(&address(url)))
}

/// Fetches the index of a repository, checks and keeps it.
pub(super) fn fetch_index(root: &Path, config: &Config, url: &str) -> Result<()> {
    let address = address(url);
    let answer = http_client(config, &address).get(&address, &[])?;
    let bytes = answer.with_context(|| format!("{address}: there is nothing (404)"))?;
    names_in_index(&bytes, include::CATALOGUE).with_context(|| address.clone())?;
    let file = index_file(root, url);
    os_config::atomic_file::replace(&file, &bytes, 0o600)
        .with_context(|| format!("writing {}", file.display()))
}

/// The names in an index for a catalogue. The last part of the catalogue's path is the key in the index: `services`,
/// `consoles`, `engines`.
pub(super) fn names_in_index(index: &[u8], catalogue: &str) -> Result<Vec<String>> {
    let value: Value = serde_yaml::from_slice(index).context("reading index.yml")?;
    if !value.is_mapping() {
        bail!("index.yml: expected lists of services, consoles and engines");
    }
    let kind = catalogue.rsplit('/').next().unwrap_or_default();
    let list = value.get(kind).and_then(Value::as_sequence);
    let names = list.into_iter().flatten().filter_map(Value::as_str);
    // A name becomes part of a file's name.
    Ok(names
        .filter(|name| !name.contains('/') && !name.starts_with('.'))
        .map(str::to_owned)
        .collect())
}

fn address(url: &str) -> String {
    format!("{}/index.yml", url.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::names_in_index;

    #[test]
    fn an_index_gives_the_names_of_a_catalogue() {
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
