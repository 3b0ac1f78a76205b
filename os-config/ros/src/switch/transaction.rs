//! Replacing the console or the engine that runs, as a transaction: the old container is renamed, the new container
//! started, and the old container put back unless the new container answers. The configuration is changed last, so
//! that a machine whose power is cut in between comes up with its former console or engine.
//!
//! `ros switch-worker` runs this in a container of its own, see [`crate::switch::worker`]: a second process, which
//! loads the configuration for itself.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use host::console;
use host::problems;
use os_config::LoadedConfig;
use os_config::Switchable;

use crate::config::Store;
use crate::docker::Client;
use crate::docker::progress;
use crate::service_engine::service_container::ServiceContainer;
use crate::service_engine::{effective_config, marks};
use crate::switch::containers::running_name;
use crate::switch::{definition_backup, failure, health, old_container};

/// Replaces the running console or engine by `name`, whose image is here. The error says whether the former console or
/// engine runs again. With `for_now` the configuration stays as it is.
pub(super) async fn replace(
    system: &Client,
    switchable: Switchable,
    name: &str,
    for_now: bool,
) -> Result<()> {
    let word = switchable.display_name();
    let loaded =
        effective_config::load_with_choices(&BTreeMap::from([(switchable, name.to_owned())]));
    let service = loaded.config.rancher.services.get(switchable.service());
    let found = service.and_then(|service| service.labels.get(switchable.label()));
    ensure!(
        switchable.means_none(name) || found.is_some_and(|found| found == name),
        "there is no definition of {word} {name} any more; nothing was changed"
    );
    let before = system.containers(true).await?;
    let is_same = running_name(switchable, &before) == Some(name);
    let has_old = old_container::rename_to_old(system, switchable).await?;
    let store = || match for_now {
        true => Ok(()),
        false => Store::new(Path::new("/")).set_texts(&[(switchable.key(), name)]),
    };
    let result = start_new(system, switchable, &loaded)
        .await
        .and_then(|()| store());
    match result {
        Ok(()) => finish(system, switchable, name, for_now).await,
        Err(error) => {
            // A failed restart of the same console or engine says nothing about it: it has answered before.
            if !is_same {
                failure::note(switchable, name);
            }
            undo(system, switchable, name, has_old, error).await
        }
    }
}

/// Starts the container of the new console or engine, and waits until it answers.
async fn start_new(system: &Client, switchable: Switchable, loaded: &LoadedConfig) -> Result<()> {
    let name = switchable.service();
    let Some(service) = loaded.config.rancher.services.get(name) else {
        return Ok(());
    };
    println!("starting {}", service.image);
    marks::clear_marks(name);
    let container = ServiceContainer {
        engine: system,
        name,
        service,
        environment: &loaded.config.rancher.environment,
    };
    container.ensure_running(false).await?;
    let what = format!("waiting for the {} to answer", switchable.display_name());
    let answer = health::wait_healthy(system, switchable, &loaded.config, false);
    progress::with_progress(&what, answer).await
}

/// The new console or engine answers, and the configuration names it.
async fn finish(system: &Client, switchable: Switchable, name: &str, for_now: bool) -> Result<()> {
    let root = Path::new("/");
    let config = os_config::load::load(root).config;
    if switchable.chosen_name(&config) == name {
        failure::clear_after_success(switchable);
    }
    // The command that began the switch may have ended with the console, before it could keep the definition.
    definition_backup::keep(&root.join(switchable.definition_file(root, name)));
    old_container::start_user_containers(switchable).await;
    old_container::remove_or_retire_old(system, switchable, for_now).await?;
    let text = format!("ros: {} {name} runs", switchable.display_name());
    println!("{text}");
    console::print_line(&text);
    Ok(())
}

/// The new console or engine did not start: puts the old container back, and returns the error that says so.
async fn undo(
    system: &Client,
    switchable: Switchable,
    name: &str,
    has_old: bool,
    error: anyhow::Error,
) -> Result<()> {
    // A failed removal is reported together with its consequence.
    let removed = system.remove(switchable.service()).await;
    let instead = if has_old {
        removed.and(old_container::restore_old(system, switchable).await)?;
        old_container::start_user_containers(switchable).await;
        "the one of before runs again"
    } else {
        "there was none before"
    };
    let text = format!(
        "{} {name} could not be started: {error:#}; {instead}",
        switchable.display_name()
    );
    problems::report(&failure::problem(switchable, text.clone()));
    bail!("{text}");
}
