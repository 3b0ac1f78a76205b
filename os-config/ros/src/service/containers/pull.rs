//! `ros service pull`, and the images of services that were just added.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{Context, Result};
use os_config::Config;

use crate::service::containers::target::Engines;

pub(super) async fn pull(engines: &Engines, names: &[String], go_on: bool) -> Result<ExitCode> {
    for target in engines.targets(names)? {
        let image = &target.service.image;
        if target.service.build.is_some() {
            println!("{}: {image} is built, not pulled", target.name);
            continue;
        }
        println!("{}: pulling {image}", target.name);
        match target.engine.pull(image).await {
            Ok(()) => {}
            Err(error) if go_on => {
                eprintln!("ros: service {}: {error:#}", target.name);
            }
            Err(error) => return Err(error).with_context(|| format!("service {}", target.name)),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Pulls the missing images of services that are not among `known`. A pull that fails is repeated when the service is
/// started.
pub(in crate::service) async fn pull_new(config: Config, known: &BTreeSet<String>) {
    let engines = Engines::connect(config).await;
    for (name, service) in &engines.config.rancher.services {
        let image = &service.image;
        let Ok(engine) = engines.engine(service.scope()) else {
            continue;
        };
        let is_here = !matches!(engine.image_id(image).await, Ok(None));
        if known.contains(name) || service.build.is_some() || is_here {
            continue;
        }
        println!("{name}: pulling {image}");
        if let Err(error) = engine.pull(image).await {
            eprintln!(
                "ros: service {name}: {error:#}\nros: it is tried again when {name} is started"
            );
        }
    }
}
