//! `ros console list`, `ros engine list`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use os_config::Config;
use os_config::load::Variant;
use os_config::load::variant::NO_CONSOLE;
use serde_json::json;

use crate::docker::{self, Engine, Existing};
use crate::extra_engines::further;
use crate::service::{self, Format};

pub(crate) fn run(variant: Variant, update: bool, format: Format) -> Result<ExitCode> {
    let root = Path::new("/");
    let config = os_config::load::load(root).config;
    if update {
        service::update(root, &config)?;
    }
    let containers = docker::runtime()?.block_on(async {
        Engine::connect(docker::SYSTEM)
            .await?
            .containers(true)
            .await
    })?;
    let running = running(variant, &containers);
    let mut lines = lines(
        names(
            variant,
            &config,
            service::names(root, &config, variant.catalogue()),
            running,
        ),
        variant.chosen(&config),
        running,
    );
    if variant == Variant::Engine {
        lines.extend(further::states(&containers, &config));
    }
    match format {
        Format::Text => {
            for (state, name) in lines {
                println!("{state:<8} {name}");
            }
        }
        Format::Json => {
            let list: Vec<_> = lines
                .iter()
                .map(|(state, name)| json!({"name": name, "state": state}))
                .collect();
            println!(
                "{}",
                serde_json::to_string_pretty(&list).context("printing the list")?
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The name of the one that runs, by its container's label.
pub(crate) fn running(variant: Variant, containers: &[Existing]) -> Option<&str> {
    let runs = |container: &&Existing| container.running && container.name == variant.service();
    let container = containers.iter().find(runs)?;
    container.labels.get(variant.label()).map(String::as_str)
}

fn names(
    variant: Variant,
    config: &Config,
    catalogue: Vec<String>,
    running: Option<&str>,
) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = catalogue.into_iter().collect();
    names.insert(variant.own(config).to_owned());
    names.insert(variant.chosen(config).to_owned());
    names.extend(running.map(str::to_owned));
    names.remove("");
    names
}

/// RancherOS's three words: the one that runs, the one that the next boot starts, the others.
fn lines(
    names: BTreeSet<String>,
    chosen: &str,
    running: Option<&str>,
) -> Vec<(&'static str, String)> {
    let runs = |name: &str| running.unwrap_or(NO_CONSOLE) == name;
    names
        .into_iter()
        .map(|name| {
            let state = match &name {
                name if runs(name) => "current",
                name if name == chosen => "enabled",
                _ => "disabled",
            };
            (state, name)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn states() {
        let list = |names: &[&str], chosen, running| -> Vec<String> {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let lines = lines(names, chosen, running).into_iter();
            lines
                .map(|(state, name)| format!("{state} {name}"))
                .collect()
        };
        assert_eq!(
            list(
                &["docker-9", "docker-26", "docker-28"],
                "docker-28",
                Some("docker-26")
            ),
            [
                "current docker-26",
                "enabled docker-28",
                "disabled docker-9"
            ]
        );
        assert_eq!(
            list(&["default", "none"], "none", None),
            ["disabled default", "current none"]
        );
    }
}
