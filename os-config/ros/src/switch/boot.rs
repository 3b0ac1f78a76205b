//! Switches that a boot makes by itself: to the chosen console or engine as soon as its image can be pulled, and back
//! to the image's own if the chosen console or engine does not answer.

use std::path::Path;

use anyhow::{Context, Result};
use host::problems;
use os_config::{Config, LoadedConfig, Switchable};

use crate::docker::Client;
use crate::switch::candidate::Candidate;
use crate::switch::containers::running_name;
use crate::switch::{failure, health, trial, worker};

/// Switches to the console or engine `name`, which the configuration names, as soon as its image can be pulled. An
/// error means that it is worth trying again.
pub(crate) async fn switch_when_pulled(
    system: &Client,
    switchable: Switchable,
    name: &str,
    config: Config,
) -> Result<()> {
    let chosen = name.to_owned();
    // Finding a candidate may ask over the network, and blocks.
    let candidate =
        tokio::task::spawn_blocking(move || Candidate::find(&config, switchable, &chosen));
    let candidate = candidate.await.context("looking for its definition")??;
    // The configuration names it already, so its definition stays even if the switch fails.
    candidate.keep_definition();
    let Some(service) = &candidate.service else {
        return Ok(());
    };
    system.pull(&service.image).await?;
    let containers = system.containers(true).await?;
    // An operator may have chosen another during the pull.
    let now = os_config::load::load(Path::new("/")).config;
    let is_current = running_name(switchable, &containers) == Some(name);
    if is_current || switchable.chosen_name(&now) != name || failure::has_failed(switchable, name) {
        return Ok(());
    }
    if let Err(error) = trial::prepare(&candidate, system, false).await {
        // Another trial of the same image ends the same way.
        failure::note(switchable, name);
        problems::report(&failure::problem(switchable, format!("{error:#}")));
        return Ok(());
    }
    // The worker reports its own failures.
    worker::run_in_container(system, switchable, name, true)
        .await
        .map(drop)
}

/// Replaces a chosen console or engine that was started with the machine and does not answer by the image's own, for
/// this boot and later boots, until a user switches.
pub(crate) async fn replace_unhealthy(
    system: &Client,
    switchable: Switchable,
    loaded: &LoadedConfig,
) -> Result<()> {
    let own = switchable.default_name(&loaded.config);
    let service = loaded.config.rancher.services.get(switchable.service());
    let name = service.and_then(|service| service.labels.get(switchable.label()));
    let Some(name) = name.filter(|name| *name != own) else {
        return Ok(());
    };
    let Err(error) = health::wait_healthy(system, switchable, &loaded.config, true).await else {
        return Ok(());
    };
    failure::note(switchable, name);
    let text = format!(
        "{word} {name}: {error:#}; the image's own is started (`ros {word} switch` tries again)",
        word = switchable.display_name(),
    );
    problems::report(&failure::problem(switchable, text));
    worker::run_in_container(system, switchable, own, true)
        .await
        .map(drop)
}
