//! Replacing the console or the engine that runs, as a transaction: the old container is set aside, the new one
//! started, and the old one put back unless the new one answers. The configuration is changed last, so that a
//! machine whose power is cut in between comes up with what it had.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use host::console;
use os_config::Loaded;
use os_config::Switchable;

use crate::config::Store;
use crate::docker::progress;
use crate::docker::{self, Client, Container, retire};
use crate::services::user_containers::{self, RestartScope};
use crate::services::{bring_up, effective_config};
use crate::switch::{definition_backup, health, list, worker};

/// The container in which programs of a new image are tried.
pub(crate) fn trial_name(switchable: Switchable) -> String {
    format!("{}.trial", switchable.service())
}

/// The container of before, while the new one has not answered.
fn old_name(switchable: Switchable) -> String {
    format!("{}.old", switchable.service())
}

/// Replaces the one that runs by `name`, whose image is here. An error says what runs instead. With `for_now` the
/// configuration stays as it is.
pub(crate) async fn replace(
    system: &Client,
    switchable: Switchable,
    name: &str,
    for_now: bool,
) -> Result<()> {
    let word = switchable.word();
    let loaded = effective_config::choosing(&BTreeMap::from([(switchable, name.to_owned())]));
    let service = loaded.config.rancher.services.get(switchable.service());
    let found = service.and_then(|service| service.labels.get(switchable.label()));
    ensure!(
        switchable.is_none(name) || found.is_some_and(|found| found == name),
        "there is no definition of {word} {name} any more; nothing was changed"
    );
    let before = system.containers(true).await?;
    let is_same = list::running(switchable, &before) == Some(name);
    let has_old = set_aside(system, switchable).await?;
    let store = || match for_now {
        true => Ok(()),
        false => Store::new(Path::new("/")).set_texts(&[(switchable.key(), name)]),
    };
    let result = bring_up(system, switchable, &loaded)
        .await
        .and_then(|()| store());
    let Err(error) = result else {
        let config = os_config::load::load(Path::new("/")).config;
        if switchable.chosen(&config) == name {
            mark_settled(switchable);
        }
        // The command that asked for it may have ended with the console.
        let root = Path::new("/");
        definition_backup::keep(&root.join(switchable.definition_file(root, name)));
        start_users(switchable).await;
        put_away(system, switchable, for_now).await?;
        let text = format!("ros: {word} {name} runs");
        println!("{text}");
        console::line(&text);
        return Ok(());
    };
    // What ran before by this name has answered.
    if !is_same {
        note_failed(switchable, Some(name));
    }
    // Whatever is in the way of putting the old one back is said with it.
    let removed = system.remove(switchable.service()).await;
    let instead = if has_old {
        removed.and(put_back(system, switchable).await)?;
        start_users(switchable).await;
        "the one of before runs again"
    } else {
        "there was none before"
    };
    let text = format!("{word} {name} could not be started: {error:#}; {instead}");
    host::problems::report(&text);
    bail!("{text}");
}

/// Stops the container that runs, and keeps it under another name; whether there was one.
async fn set_aside(system: &Client, switchable: Switchable) -> Result<bool> {
    let (name, old) = (switchable.service(), old_name(switchable));
    if system.container(name).await?.is_none() {
        return Ok(false);
    }
    println!("stopping the {} that runs", switchable.word());
    if switchable == Switchable::Engine {
        // The engine's own end would leave each of them a few seconds only.
        user_containers::stop(RestartScope::All).await;
    }
    system.remove(&old).await?;
    system.stop(name, None).await?;
    if let Err(error) = system.rename(name, &old).await {
        system.start(name).await?;
        return Err(error);
    }
    Ok(true)
}

/// The old one has served. A console that was only given up holds what its user installed.
async fn put_away(system: &Client, switchable: Switchable, for_now: bool) -> Result<()> {
    let old = old_name(switchable);
    if !(for_now && switchable == Switchable::Console) {
        return system.remove(&old).await;
    }
    retire(system, &old, switchable.service()).await
}

async fn put_back(system: &Client, switchable: Switchable) -> Result<()> {
    let name = switchable.service();
    system.rename(&old_name(switchable), name).await?;
    bring_up::clear_marks(name);
    system.start(name).await
}

async fn start_users(switchable: Switchable) {
    if switchable == Switchable::Engine
        && let Ok(engine) = Client::wait_for(docker::USER, health::HEALTH_TIMEOUT).await
    {
        user_containers::start_again(&engine).await;
    }
}

async fn bring_up(system: &Client, switchable: Switchable, loaded: &Loaded) -> Result<()> {
    let name = switchable.service();
    let Some(service) = loaded.config.rancher.services.get(name) else {
        return Ok(());
    };
    println!("starting {}", service.image);
    bring_up::clear_marks(name);
    let environment = &loaded.config.rancher.environment;
    bring_up::ensure_running(system, name, service, environment).await?;
    let what = format!("waiting for the {} to answer", switchable.word());
    let answer = health::wait_healthy(system, switchable, &loaded.config, false);
    progress::with_progress(&what, answer).await
}

/// Puts right what a switch of these that was cut off has left: a machine without its console or its engine, or
/// with one that was not chosen yet. A switch of the other may be going on.
pub(crate) async fn recover(system: &Client, switchables: &[Switchable]) -> Result<()> {
    let leaves = |switchable| {
        [
            old_name(switchable),
            trial_name(switchable),
            worker::name(switchable),
        ]
    };
    let left: Vec<String> = switchables.iter().copied().flat_map(leaves).collect();
    let existing = system.containers(true).await?;
    // At every boot it is in the way of everything else.
    if !existing.iter().any(|found| left.contains(&found.name)) {
        return Ok(());
    }
    let config = os_config::load::load(Path::new("/")).config;
    for switchable in switchables.iter().copied() {
        worker::clear_up(system, switchable).await?;
        system.remove(&trial_name(switchable)).await?;
        let (name, old) = (switchable.service(), old_name(switchable));
        let Some(aside) = system.container(&old).await? else {
            continue;
        };
        let new = system.container(name).await?;
        let of = |container: &Container| container.labels.get(switchable.label()).cloned();
        let chosen = switchable.chosen(&config);
        let is_chosen = |container| of(container).is_some_and(|name| name == chosen);
        if new.as_ref().is_some_and(is_chosen) && !is_chosen(&aside) {
            system.remove(&old).await?;
        } else {
            system.remove(name).await?;
            put_back(system, switchable).await?;
            start_users(switchable).await;
        }
    }
    Ok(())
}

/// What was chosen runs: nothing that went wrong with others before counts any more.
pub(crate) fn mark_settled(switchable: Switchable) {
    note_failed(switchable, None);
    host::problems::clear(&format!("{} ", switchable.word()));
}

/// Where it is kept that a choice did not answer, so that the next boot does not try it again.
fn failed_file(switchable: Switchable) -> PathBuf {
    PathBuf::from(format!("/var/lib/rancher/failed-{}", switchable.word()))
}

/// Whether this choice did not answer when it was tried last.
pub(crate) fn has_failed(switchable: Switchable, name: &str) -> bool {
    fs::read_to_string(failed_file(switchable)).is_ok_and(|failed| failed == name)
}

/// Keeps in mind that a choice did not answer, or that there is none of which that is known.
pub(crate) fn note_failed(switchable: Switchable, name: Option<&str>) {
    let file = failed_file(switchable);
    let noted = match name {
        Some(name) => fs::write(&file, name),
        None if file.exists() => fs::remove_file(&file),
        None => Ok(()),
    };
    if let Err(error) = noted.with_context(|| format!("writing {}", file.display())) {
        host::problems::report(&format!("{error:#}"));
    }
}

/// A chosen one that was started with the machine and does not answer: the image's own is started instead, for
/// this boot and the next ones, until somebody switches.
pub(crate) async fn watch_over_boot(
    system: &Client,
    switchable: Switchable,
    loaded: &Loaded,
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
    note_failed(switchable, Some(name));
    host::problems::report(&format!(
        "{word} {name}: {error:#}; the image's own is started (`ros {word} switch` tries again)",
        word = switchable.word(),
    ));
    worker::run_in_one(system, switchable, own, true)
        .await
        .map(drop)
}
