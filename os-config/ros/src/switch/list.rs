//! `ros console list` and `ros engine list`: the catalogue, and the state of each console or engine.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use os_config::Config;
use os_config::Switchable;
use os_config::switchable::NO_CONSOLE;
use serde_json::json;

use crate::docker::{self, Client};
use crate::extra_engines::list;
use crate::output::Format;
use crate::service;
use crate::switch::containers;

pub(super) fn print(config: &Config, switchable: Switchable, format: Format) -> Result<ExitCode> {
    let existing = docker::runtime()?.block_on(async {
        Client::connect(docker::SYSTEM)
            .await?
            .containers(true)
            .await
    })?;
    let running = containers::running_name(switchable, &existing);
    let mut lines = lines(
        names(
            switchable,
            config,
            service::catalogue_names(Path::new("/"), config, switchable.catalogue()),
            running,
        ),
        switchable.chosen_name(config),
        running,
    );
    if switchable == Switchable::Engine {
        lines.extend(list::states(&existing, config));
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

fn names(
    switchable: Switchable,
    config: &Config,
    catalogue: Vec<String>,
    running: Option<&str>,
) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = catalogue.into_iter().collect();
    names.insert(switchable.default_name(config).to_owned());
    names.insert(switchable.chosen_name(config).to_owned());
    names.extend(running.map(str::to_owned));
    names.remove("");
    names
}

/// RancherOS's three words: `current` runs, `enabled` starts at the next boot, the rest is `disabled`.
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
