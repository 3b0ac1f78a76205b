//! Recovery from a switch that was cut off: a machine without its console or engine, or with a console or engine that
//! was not chosen yet.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use os_config::Switchable;

use crate::docker::Client;
use crate::docker::Container;
use crate::switch::containers::{old_name, trial_name, worker_name};
use crate::switch::transaction::perform::Performer;
use crate::switch::transaction::plan::{self, FoundContainer, RecoveryFacts, Stage};

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
    for switchable in switchables.iter().copied() {
        if !wait_for_worker(system, switchable).await? {
            // Its containers are not touched while it works. The next round looks again.
            bail!(
                "a switch of the {} has been at work for {} s",
                switchable.display_name(),
                WORKER_TIMEOUT.as_secs()
            );
        }
        let existing = system.containers(true).await?;
        // The worker may have written the configuration before its end.
        let loaded = os_config::load::load(Path::new("/"));
        let name = switchable.chosen_name(&loaded.config);
        let performer = Performer {
            system,
            switchable,
            name,
            loaded: &loaded,
        };
        let steps = plan::recover(facts(switchable, name, &existing));
        let result = performer.perform_all(Stage::Recover, 0, &steps).await;
        result.map_err(|failed| failed.error)?;
    }
    Ok(())
}

fn facts(switchable: Switchable, chosen: &str, existing: &[Container]) -> RecoveryFacts {
    let find = |name: &str| existing.iter().find(|container| container.name == name);
    let describe = |container: &Container| FoundContainer {
        is_chosen: container
            .labels
            .get(switchable.label())
            .is_some_and(|name| name == chosen),
        is_running: container.running,
    };
    RecoveryFacts {
        switchable,
        container: find(switchable.service()).map(describe),
        old: find(&old_name(switchable)).map(describe),
        has_trial: find(&trial_name(switchable)).is_some(),
        has_worker: find(&worker_name(switchable)).is_some(),
        wants_none: switchable.means_none(chosen),
    }
}

/// Waits for the end of a worker that runs, within a limit. Returns whether none runs now.
async fn wait_for_worker(system: &Client, switchable: Switchable) -> Result<bool> {
    let worker = worker_name(switchable);
    let found = system.container(&worker).await?;
    if !found.is_some_and(|found| found.running) {
        return Ok(true);
    }
    let ended = tokio::time::timeout(WORKER_TIMEOUT, system.wait_for_end(&worker)).await;
    Ok(ended.is_ok())
}
