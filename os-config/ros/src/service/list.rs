//! `ros service list`: the services of the catalogue and their state.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use os_config::Config;
use os_config::compose::service::Scope;
use os_config::load::include::CATALOGUE;

use crate::output::Format;
use crate::service::catalogue;

/// A service of the catalogue, or a service that was added.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    name: String,
    enabled: bool,
}

/// Prints the catalogue, then added services from elsewhere. With `all`, the other services of the configuration come
/// first.
pub(super) fn list(root: &Path, config: &Config, all: bool, format: Format) -> Result<ExitCode> {
    let rancher = &config.rancher;
    let known = lines(
        &catalogue::catalogue_names(root, config, CATALOGUE),
        &rancher.services_include,
    );
    let mut configured: Vec<&String> = Vec::new();
    if all {
        let services = rancher.services.keys();
        configured.extend(services.filter(|name| known.iter().all(|line| &line.name != *name)));
    }
    match format {
        Format::Text => {
            for name in configured {
                println!("enabled  {name}");
            }
            for line in known {
                let state = if line.enabled { "enabled " } else { "disabled" };
                println!("{state} {}", line.name);
            }
        }
        Format::Json => {
            let object = |name: &str, enabled: bool| {
                let service = rancher.services.get(name);
                serde_json::json!({
                    "name": name,
                    "enabled": enabled,
                    "image": service.map(|service| &service.image),
                    "scope": service.map(|service| match service.scope() {
                        Scope::System => "system",
                        Scope::User => "user",
                    }),
                })
            };
            let configured = configured.into_iter().map(|name| object(name, true));
            let known = known.iter().map(|line| object(&line.name, line.enabled));
            let list: Vec<_> = configured.chain(known).collect();
            let text = serde_json::to_string_pretty(&list).context("printing the list")?;
            println!("{text}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(catalogue: &[String], include: &BTreeMap<String, bool>) -> Vec<Line> {
    let added = include.keys().filter(|name| !catalogue.contains(name));
    catalogue
        .iter()
        .chain(added)
        .map(|name| Line {
            name: name.clone(),
            enabled: include.get(name) == Some(&true),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn the_catalogue_comes_before_added_services() {
        let catalogue = ["a".to_owned(), "b".to_owned()];
        let include = [
            ("b".to_owned(), true),
            ("/x.yml".to_owned(), false),
            ("http://h/y.yml".to_owned(), true),
        ]
        .into();
        let found: Vec<String> = lines(&catalogue, &include)
            .iter()
            .map(|line| format!("{} {}", line.name, line.enabled))
            .collect();
        assert_eq!(
            found,
            ["a false", "b true", "/x.yml false", "http://h/y.yml true"]
        );
    }
}
