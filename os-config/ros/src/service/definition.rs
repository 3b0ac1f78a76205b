//! Adding services to the configuration: their definitions are read, checked and kept before anything is
//! changed.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cloud_init_rs::Client;
use os_config::load::include::{self, CATALOGUE, definition_file};
use os_config::{Config, Problem, validate, whole_file};

use super::repositories;

use crate::config_cmd::{Found, Store, report};

/// How long fetching one definition may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Adds services: each definition is there and can be used, or nothing is changed.
pub(super) fn enable(root: &Path, names: &[String]) -> Result<ExitCode> {
    let config = os_config::load::load(root).config;
    for name in names {
        if is_address(name) {
            fetch(root, &config, name, &definition_file(name))?;
        } else {
            repositories::obtain(root, &config, CATALOGUE, name)?;
            let file = include::find(root, CATALOGUE, name);
            usable(&problems_of_file(&root.join(file), name)?, name)?;
        }
    }
    include(root, names, Some(true))
}

/// Says of each name whether it is included, or nothing about it any more.
pub(super) fn include(root: &Path, names: &[String], included: Option<bool>) -> Result<ExitCode> {
    Store::of(root).include(names, included)
}

/// Checks a compose file.
pub(super) fn validate(file: &Path) -> Result<ExitCode> {
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let failed = report(&problems_of(&bytes, &file.display().to_string()));
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

pub(crate) fn is_address(name: &str) -> bool {
    name.starts_with("http://") || name.starts_with("https://")
}

/// Fetches a definition and keeps it as `file` below the root, if it can be used.
pub(crate) fn fetch(root: &Path, config: &Config, url: &str, file: &Path) -> Result<()> {
    let answer = client(config).get(url, &[])?;
    let bytes = answer.with_context(|| format!("{url}: there is nothing (404)"))?;
    usable(&problems_of(&bytes, url), url)?;
    let file = root.join(file);
    whole_file::replace(&file, &bytes, 0o600).with_context(|| format!("writing {}", file.display()))
}

/// Asks for definitions, through the machine's proxy if it has one.
pub(super) fn client(config: &Config) -> Client {
    let network = &config.rancher.network;
    let proxy = network.https_proxy.as_ref().or(network.http_proxy.as_ref());
    Client::through(PATIENCE, proxy.map(String::as_str))
}

/// Says what is wrong, and refuses what cannot be used.
fn usable(problems: &[Found], name: &str) -> Result<()> {
    ensure!(
        !report(problems),
        "{name} cannot be used; nothing was changed"
    );
    Ok(())
}

fn problems_of_file(file: &Path, name: &str) -> Result<Vec<Found>> {
    ensure!(
        file.is_file(),
        "there is no service {name}\nhint: `ros service list` shows the catalogue; a file is named by its whole path"
    );
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(problems_of(&bytes, &file.display().to_string()))
}

/// What is wrong with a definition, each with the text that it is in.
fn problems_of(bytes: &[u8], name: &str) -> Vec<Found> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let problems = match include::parse(bytes) {
        Ok(document) => {
            let mut problems = validate::of_document(&document, name);
            if services_of(&document).is_empty() {
                problems.push(Problem::of_file(
                    name,
                    None,
                    "expected services with `image` or `build`, found none",
                ));
            }
            problems
        }
        Err(unusable) => vec![Problem::of_file(name, unusable.position, unusable.message)],
    };
    problems
        .into_iter()
        .map(|problem| (problem, text.clone()))
        .collect()
}

fn services_of(document: &os_config::document::Document) -> Vec<String> {
    let services = document.services().into_iter();
    services
        .filter(|(_, service)| !service.image.is_empty() || service.build.is_some())
        .map(|(name, _)| name)
        .collect()
}
