//! `ros service ps`: the containers of services.

use std::process::ExitCode;

use anyhow::{Context, Result};
use os_config::compose::service::Scope;

use crate::output::Format;
use crate::service::containers::target::Engines;

/// Lists the containers of the named services; without names, of every service whose engine answers.
pub(super) async fn list(
    engines: &Engines,
    names: &[String],
    quiet: bool,
    format: Format,
) -> Result<ExitCode> {
    let services = &engines.config.rancher.services;
    let names: Vec<String> = if names.is_empty() {
        // An engine that does not answer must not hide the services of the other engine.
        let of_scope = |scope| {
            let there = engines
                .engine(scope)
                .inspect_err(|error| eprintln!("ros: {error:#}"));
            let is_there = there.is_ok();
            let these = services.iter();
            these.filter(move |(_, service)| is_there && service.scope() == scope)
        };
        let both = of_scope(Scope::System).chain(of_scope(Scope::User));
        both.map(|(name, _)| name.clone()).collect()
    } else {
        names.to_vec()
    };
    let mut rows = Vec::new();
    for target in engines.targets(&names)? {
        let found = target.engine.container(target.container()).await?;
        rows.extend(found.map(|found| (target.name, target.service.image, found)));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    if format == Format::Json {
        let list: Vec<_> = rows
            .iter()
            .map(|(name, image, found)| {
                serde_json::json!({"name": name, "id": found.id, "image": image, "state": found.state, "status": found.status})
            })
            .collect();
        let text = serde_json::to_string_pretty(&list).context("printing the list")?;
        println!("{text}");
    } else if quiet {
        for (_, _, found) in rows {
            println!("{}", found.id);
        }
    } else {
        println!("{:<20} {:<12} {:<32} STATUS", "NAME", "ID", "IMAGE");
        for (name, image, found) in rows {
            let id: String = found.id.chars().take(12).collect();
            println!("{name:<20} {id:<12} {image:<32} {}", found.status);
        }
    }
    Ok(ExitCode::SUCCESS)
}
