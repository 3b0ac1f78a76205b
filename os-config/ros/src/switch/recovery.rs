//! Recovery from a switch that was cut off: a machine without its console or engine, or with a console or engine that
//! was not chosen yet.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use os_config::Switchable;

use crate::docker::Client;
use crate::docker::Container;
use crate::switch::containers::{old_name, trial_name, worker_name};
use crate::switch::old_container;

/// Longer than any switch.
const WORKER_TIMEOUT: Duration = Duration::from_secs(300);

/// Recovers from cut-off switches of `switchables`. A switch of the other switchable may still run.
pub(crate) async fn recover(system: &Client, switchables: &[Switchable]) -> Result<()> {
    let leftovers = |switchable| {
        [
            old_name(switchable),
            trial_name(switchable),
            worker_name(switchable),
        ]
    };
    let leftovers: Vec<String> = switchables.iter().copied().flat_map(leftovers).collect();
    let existing = system.containers(true).await?;
    // Every boot runs this: without leftovers it costs one call.
    if !existing.iter().any(|found| leftovers.contains(&found.name)) {
        return Ok(());
    }
    let config = os_config::load::load(Path::new("/")).config;
    for switchable in switchables.iter().copied() {
        remove_worker(system, switchable).await?;
        system.remove(&trial_name(switchable)).await?;
        let (name, old) = (switchable.service(), old_name(switchable));
        let Some(aside) = system.container(&old).await? else {
            continue;
        };
        let new = system.container(name).await?;
        let chosen = switchable.chosen_name(&config);
        let is_chosen = |container: &Container| {
            let name = container.labels.get(switchable.label());
            name.is_some_and(|name| name == chosen)
        };
        if new.as_ref().is_some_and(is_chosen) && !is_chosen(&aside) {
            system.remove(&old).await?;
        } else {
            system.remove(name).await?;
            old_container::restore_old(system, switchable).await?;
            old_container::start_user_containers(switchable).await;
        }
    }
    Ok(())
}

/// Waits for the end of a worker that runs, and removes it.
async fn remove_worker(system: &Client, switchable: Switchable) -> Result<()> {
    let worker = worker_name(switchable);
    if let Some(found) = system.container(&worker).await? {
        if found.running {
            let _ = tokio::time::timeout(WORKER_TIMEOUT, system.wait_for_end(&worker)).await;
        }
        system.remove(&worker).await?;
    }
    Ok(())
}
