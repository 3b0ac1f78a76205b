//! Adding services to the configuration: their definitions are read, checked and kept before anything is
//! changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cloud_init_rs::Client;
use cloud_init_rs::http::HttpError;
use os_config::load::include::{self, CATALOGUE, definition_file};
use os_config::load::legacy_names::{self, Legacy, legacy};
use os_config::{Config, Problem, atomic_file, validate};

use super::repositories;
use crate::config::{LocatedProblem, Store, report};
use crate::docker;
use crate::service::commands;

/// How long fetching one definition may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// What every console and, at every boot, the OS root have of the state disk.
const KEPT: [&str; 3] = ["/var/lib/", "/home/", "/opt/"];

/// Adds services: each definition is there and can be used, or nothing is changed. With `pull` their images are
/// pulled, so that the next boot need not.
pub(super) fn enable(root: &Path, names: &[String], pull: bool) -> Result<ExitCode> {
    let config = os_config::load::load(root).config;
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
            fetch(root, &config, current, &definition_file(current))?;
        } else {
            repositories::fetch_from_repositories(root, &config, CATALOGUE, current)?;
            let file = root.join(include::find(root, CATALOGUE, current));
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
        let known: BTreeSet<String> = config.rancher.services.into_keys().collect();
        docker::runtime()?.block_on(commands::pull_new(&known));
    }
    Ok(code)
}

/// Leaves services out, or with `forget` says nothing about them any more.
pub(super) fn exclude(root: &Path, names: &[String], forget: bool) -> Result<ExitCode> {
    let config = os_config::load::load(root).config;
    let catalogue = repositories::catalogue_names(root, &config, CATALOGUE);
    let added = &config.rancher.services_include;
    let mut excluded: BTreeSet<String> = BTreeSet::new();
    for name in names {
        if let Some(Legacy::BuiltIn(why)) = legacy(name) {
            println!("{name} is no service: {why}");
            continue;
        }
        // Whatever a catalogue called it when it was added.
        let current = legacy_names::current_name(name);
        let spellings = added
            .keys()
            .filter(|known| legacy_names::current_name(known) == current);
        excluded.extend(spellings.cloned());
        let is_known = added.contains_key(name) || catalogue.iter().any(|known| known == current);
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
    let config = os_config::load::load(root).config;
    for name in names.iter().filter(|_| forget) {
        if config.rancher.services_include.get(name) == Some(&true) {
            eprintln!(
                "ros: {name} is still added by another file of the configuration; `disable` leaves it out"
            );
        }
    }
    Ok(code)
}

/// Refuses files that are only there while the machine runs: the next boot reads them on the OS root.
pub(crate) fn ensure_persistent(name: &str) -> Result<()> {
    let is_kept = KEPT.iter().any(|folder| name.starts_with(folder)) && !name.contains("/../");
    ensure!(
        !name.starts_with('/') || is_kept,
        "{name} may be missing when the machine starts; nothing was changed\nhint: put it below /var/lib/rancher"
    );
    Ok(())
}

/// Checks a compose file.
pub(super) fn validate(file: &Path) -> Result<ExitCode> {
    let reading = || format!("reading {}", file.display());
    let file = file.canonicalize().with_context(reading)?;
    let bytes = fs::read(&file).with_context(reading)?;
    let failed = report(&problems_of_definition(&bytes, &file.display().to_string()));
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

pub(crate) fn is_address(name: &str) -> bool {
    name.starts_with("http://") || name.starts_with("https://")
}

/// Fetches a definition and keeps it as `file` below the root, if it can be used. One that is there already
/// serves where nobody answers, as it does at boots.
pub(crate) fn fetch(root: &Path, config: &Config, url: &str, file: &Path) -> Result<()> {
    let file = root.join(file);
    let answer = match http_client(config, url).get(url, &[]) {
        Err(error @ HttpError::NoAnswer { .. }) if file.is_file() => {
            eprintln!("ros: {error:#}\nros: the definition that was fetched before is used");
            return Ok(());
        }
        answer => answer?,
    };
    let bytes = answer.with_context(|| format!("{url}: there is nothing (404)"))?;
    ensure_usable(&problems_of_definition(&bytes, url), url)?;
    atomic_file::replace(&file, &bytes, 0o600)
        .with_context(|| format!("writing {}", file.display()))
}

/// Asks for the definition at an address, through the machine's proxy if there is one for it.
pub(super) fn http_client(config: &Config, url: &str) -> Client {
    Client::with_proxy(REQUEST_TIMEOUT, config.rancher.network.proxy_for(url))
}

/// Says what is wrong, and refuses what cannot be used.
fn ensure_usable(problems: &[LocatedProblem], name: &str) -> Result<()> {
    ensure!(
        !report(problems),
        "{name} cannot be used; nothing was changed"
    );
    Ok(())
}

fn problems_of_file(file: &Path, name: &str) -> Result<Vec<LocatedProblem>> {
    let hint = match legacy(name) {
        Some(Legacy::Replaced(how)) => how,
        _ => "`ros service list` shows the catalogue; a file is named by its whole path",
    };
    ensure!(file.is_file(), "there is no service {name}\nhint: {hint}");
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(problems_of_definition(&bytes, &file.display().to_string()))
}

/// What is wrong with a definition, each with the text that it is in.
fn problems_of_definition(bytes: &[u8], name: &str) -> Vec<LocatedProblem> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let problems = match include::parse(bytes, include::folder(name)) {
        Ok(document) => {
            let mut problems = validate::of_document(&document, name);
            if usable_services(&document).is_empty() {
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
        .map(|problem| LocatedProblem {
            problem,
            text: text.clone(),
        })
        .collect()
}

fn usable_services(document: &os_config::document::Document) -> Vec<String> {
    let services = document.services().into_iter();
    services
        .filter(|(_, service)| !service.image.is_empty() || service.build.is_some())
        .map(|(name, _)| name)
        .collect()
}
