//! Replacing the console or the engine that runs, as a transaction: the old container is set aside, the new one
//! started, and the old one put back unless the new one answers. The configuration is changed last, so that a
//! machine whose power is cut in between comes up with what it had.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use host::announce;
use os_config::Loaded;
use os_config::load::Variant;

use crate::config::Store;
use crate::docker::progress;
use crate::docker::{self, Engine, Existing, set_by};
use crate::services::user_containers::{self, Again};
use crate::services::{load, start};
use crate::switch::{answer, fetched, helper, list};

/// The container in which programs of a new image are tried.
pub(crate) fn trial_name(variant: Variant) -> String {
    format!("{}.trial", variant.service())
}

/// The container of before, while the new one has not answered.
fn old_name(variant: Variant) -> String {
    format!("{}.old", variant.service())
}

/// Replaces the one that runs by `name`, whose image is here. An error says what runs instead. With `for_now` the
/// configuration stays as it is.
pub(crate) async fn swap(
    system: &Engine,
    variant: Variant,
    name: &str,
    for_now: bool,
) -> Result<()> {
    let word = variant.word();
    let loaded = load::choosing(&BTreeMap::from([(variant, name.to_owned())]));
    let service = loaded.config.rancher.services.get(variant.service());
    let found = service.and_then(|service| service.labels.get(variant.label()));
    ensure!(
        variant.is_none(name) || found.is_some_and(|found| found == name),
        "there is no definition of {word} {name} any more; nothing was changed"
    );
    let before = system.containers(true).await?;
    let is_same = list::running(variant, &before) == Some(name);
    let has_old = set_aside(system, variant).await?;
    let store = || match for_now {
        true => Ok(()),
        false => Store::of(Path::new("/")).set_texts(&[(variant.key(), name)]),
    };
    let result = bring_up(system, variant, &loaded)
        .await
        .and_then(|()| store());
    let Err(error) = result else {
        let config = os_config::load::load(Path::new("/")).config;
        if variant.chosen(&config) == name {
            settled(variant);
        }
        // The command that asked for it may have ended with the console.
        let root = Path::new("/");
        fetched::keep(&root.join(variant.definition_file(root, name)));
        start_users(variant).await;
        put_away(system, variant, for_now).await?;
        let text = format!("ros: {word} {name} runs");
        println!("{text}");
        announce::line(&text);
        return Ok(());
    };
    // What ran before by this name has answered.
    if !is_same {
        note_failed(variant, Some(name));
    }
    // Whatever is in the way of putting the old one back is said with it.
    let removed = system.remove(variant.service()).await;
    let instead = if has_old {
        removed.and(put_back(system, variant).await)?;
        start_users(variant).await;
        "the one of before runs again"
    } else {
        "there was none before"
    };
    let text = format!("{word} {name} could not be started: {error:#}; {instead}");
    host::problems::say(&text);
    bail!("{text}");
}

/// Stops the container that runs, and keeps it under another name; whether there was one.
async fn set_aside(system: &Engine, variant: Variant) -> Result<bool> {
    let (name, old) = (variant.service(), old_name(variant));
    if system.container(name).await?.is_none() {
        return Ok(false);
    }
    println!("stopping the {} that runs", variant.word());
    if variant == Variant::Engine {
        // The engine's own end would leave each of them a few seconds only.
        user_containers::stop(Again::All).await;
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
async fn put_away(system: &Engine, variant: Variant, for_now: bool) -> Result<()> {
    let old = old_name(variant);
    if !(for_now && variant == Variant::Console) {
        return system.remove(&old).await;
    }
    set_by(system, &old, variant.service()).await
}

async fn put_back(system: &Engine, variant: Variant) -> Result<()> {
    let name = variant.service();
    system.rename(&old_name(variant), name).await?;
    start::forget(name);
    system.start(name).await
}

async fn start_users(variant: Variant) {
    if variant == Variant::Engine
        && let Ok(engine) = Engine::wait_for(docker::USER, answer::PATIENCE).await
    {
        user_containers::start_again(&engine).await;
    }
}

async fn bring_up(system: &Engine, variant: Variant, loaded: &Loaded) -> Result<()> {
    let name = variant.service();
    let Some(service) = loaded.config.rancher.services.get(name) else {
        return Ok(());
    };
    println!("starting {}", service.image);
    start::forget(name);
    let environment = &loaded.config.rancher.environment;
    start::one(system, name, service, environment).await?;
    let what = format!("waiting for the {} to answer", variant.word());
    let answer = answer::wait_for(system, variant, &loaded.config, false);
    progress::during(&what, answer).await
}

/// Puts right what a switch of these that was cut off has left: a machine without its console or its engine, or
/// with one that was not chosen yet. A switch of the other may be going on.
pub(crate) async fn mend(system: &Engine, variants: &[Variant]) -> Result<()> {
    let leaves = |variant| {
        [
            old_name(variant),
            trial_name(variant),
            helper::name(variant),
        ]
    };
    let left: Vec<String> = variants.iter().copied().flat_map(leaves).collect();
    let existing = system.containers(true).await?;
    // At every boot it is in the way of everything else.
    if !existing.iter().any(|found| left.contains(&found.name)) {
        return Ok(());
    }
    let config = os_config::load::load(Path::new("/")).config;
    for variant in variants.iter().copied() {
        helper::clear_up(system, variant).await?;
        system.remove(&trial_name(variant)).await?;
        let (name, old) = (variant.service(), old_name(variant));
        let Some(aside) = system.container(&old).await? else {
            continue;
        };
        let new = system.container(name).await?;
        let of = |container: &Existing| container.labels.get(variant.label()).cloned();
        let chosen = variant.chosen(&config);
        let is_chosen = |container| of(container).is_some_and(|name| name == chosen);
        if new.as_ref().is_some_and(is_chosen) && !is_chosen(&aside) {
            system.remove(&old).await?;
        } else {
            system.remove(name).await?;
            put_back(system, variant).await?;
            start_users(variant).await;
        }
    }
    Ok(())
}

/// What was chosen runs: nothing that went wrong with others before counts any more.
pub(crate) fn settled(variant: Variant) {
    note_failed(variant, None);
    host::problems::take_back(&format!("{} ", variant.word()));
}

/// Where it is kept that a choice did not answer, so that the next boot does not try it again.
fn failed_file(variant: Variant) -> PathBuf {
    PathBuf::from(format!("/var/lib/rancher/failed-{}", variant.word()))
}

/// Whether this choice did not answer when it was tried last.
pub(crate) fn has_failed(variant: Variant, name: &str) -> bool {
    fs::read_to_string(failed_file(variant)).is_ok_and(|failed| failed == name)
}

/// Keeps in mind that a choice did not answer, or that there is none of which that is known.
pub(crate) fn note_failed(variant: Variant, name: Option<&str>) {
    let file = failed_file(variant);
    let noted = match name {
        Some(name) => fs::write(&file, name),
        None if file.exists() => fs::remove_file(&file),
        None => Ok(()),
    };
    if let Err(error) = noted.with_context(|| format!("writing {}", file.display())) {
        host::problems::say(&format!("{error:#}"));
    }
}

/// A chosen one that was started with the machine and does not answer: the image's own is started instead, for
/// this boot and the next ones, until somebody switches.
pub(crate) async fn watch_over_boot(
    system: &Engine,
    variant: Variant,
    loaded: &Loaded,
) -> Result<()> {
    let own = variant.own(&loaded.config);
    let service = loaded.config.rancher.services.get(variant.service());
    let name = service.and_then(|service| service.labels.get(variant.label()));
    let Some(name) = name.filter(|name| *name != own) else {
        return Ok(());
    };
    let Err(error) = answer::wait_for(system, variant, &loaded.config, true).await else {
        return Ok(());
    };
    note_failed(variant, Some(name));
    host::problems::say(&format!(
        "{word} {name}: {error:#}; the image's own is started (`ros {word} switch` tries again)",
        word = variant.word(),
    ));
    helper::run_in_one(system, variant, own, true)
        .await
        .map(drop)
}
