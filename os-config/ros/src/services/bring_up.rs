//! Brings services up: each one the moment that those it waits for are done, in parallel.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use bollard::models::ContainerCreateBody;
use os_config::Loaded;
use os_config::compose::order::{Order, order};
use os_config::compose::service::{REPLICA_OF, Scope, Service};
use os_config::keys::extra_engines::LABEL_NAME;
use tokio::task::JoinSet;

use crate::docker::build;
use crate::docker::{self, Client, Container, retire};
use crate::extra_engines::commands;
use crate::services::container;
use crate::services::reconcile::{self, Action, Marks};

/// Services that have run to their end in this boot.
const DONE: &str = "/run/ros/done";
/// The service in whose container User Docker runs.
pub(crate) const USER_DOCKER: &str = "docker";
/// How long what comes after it waits for User Docker's answer; then it starts all the same.
const ANSWER: Duration = Duration::from_secs(30);
/// Services that an operator stopped in this boot.
const STOPPED: &str = "/run/ros/stopped";

/// The services of a scope by their names.
pub(crate) type Services = BTreeMap<String, Service>;

/// What came of bringing services up.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Whether any container was made or started.
    pub(crate) changed: bool,
    /// One line per service that could not be brought up.
    pub(crate) problems: Vec<String>,
    /// The services that could not be started.
    pub(crate) failed: BTreeSet<String>,
}

/// Brings all services of a scope up. `reload` is called after a service that changes the
/// configuration; those that have not been started yet are then planned anew, and one that runs already
/// with settings of before is named by `reload` and started again.
pub(crate) async fn all(
    engine: &Client,
    scope: Scope,
    loaded: &mut Loaded,
    mut reload: impl FnMut(&mut Loaded) -> Option<&'static str>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut services = of_scope(loaded, scope);
    let mut plan = order(&services);
    let mut begun: BTreeSet<String> = BTreeSet::new();
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut running: JoinSet<(String, Result<bool>)> = JoinSet::new();
    loop {
        for name in ready(&plan, &begun, &done) {
            let Some(service) = services.get(&name).cloned() else {
                continue;
            };
            let (engine, environment) = (engine.clone(), loaded.config.rancher.environment.clone());
            begun.insert(name.clone());
            running.spawn(async move {
                let result = ensure_running(&engine, &name, &service, &environment).await;
                if name == USER_DOCKER && scope == Scope::System {
                    // What comes after Docker means to use it. One that does not answer is spoken of elsewhere.
                    let _ = Client::wait_for(docker::USER, ANSWER).await;
                }
                (name, result)
            });
        }
        let Some(ended) = running.join_next().await else {
            break;
        };
        let Ok((name, result)) = ended else { continue };
        match result {
            Ok(changed) => outcome.changed |= changed,
            Err(error) => {
                outcome.problems.push(format!("service {name}: {error:#}"));
                outcome.failed.insert(name.clone());
            }
        }
        if services.get(&name).is_some_and(Service::reloadconfig) {
            let outdated = reload(loaded);
            services = of_scope(loaded, scope);
            plan = order(&services);
            if let Some(outdated) = outdated.filter(|name| done.contains(*name)) {
                let result = restart(engine, outdated, &services).await;
                let problem = result
                    .err()
                    .map(|error| format!("service {outdated}: {error:#}"));
                outcome.problems.extend(problem);
            }
        }
        done.insert(name);
    }
    // Only now: a data source may have changed what is to be started.
    outcome
        .problems
        .extend(plan.errors.iter().map(ToString::to_string));
    outcome
}

/// The services of one scope.
pub(crate) fn of_scope(loaded: &Loaded, scope: Scope) -> Services {
    let all = &loaded.config.rancher.services;
    all.iter()
        .filter(|(_, service)| service.scope() == scope)
        .map(|(name, service)| {
            let mut service = service.clone();
            // What the other scope starts is none of this one's dependencies.
            service
                .depends_on
                .retain(|needed| all.get(needed).is_none_or(|other| other.scope() == scope));
            (name.clone(), service)
        })
        .collect()
}

fn ready(plan: &Order, begun: &BTreeSet<String>, done: &BTreeSet<String>) -> Vec<String> {
    plan.dependencies
        .iter()
        .filter(|(name, needs)| {
            // A service that vanished from the plan cannot be waited for any more.
            let is_done =
                |needed: &String| done.contains(needed) || !plan.dependencies.contains_key(needed);
            !begun.contains(*name) && needs.iter().all(is_done)
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// Brings one service up; whether anything had to be done for it.
pub(crate) async fn ensure_running(
    engine: &Client,
    name: &str,
    service: &Service,
    environment: &BTreeMap<String, String>,
) -> Result<bool> {
    ensure_running_with(engine, name, service, environment, false).await
}

/// The same; `anew` replaces its container even if it is what the service says.
pub(crate) async fn ensure_running_with(
    engine: &Client,
    name: &str,
    service: &Service,
    environment: &BTreeMap<String, String>,
    anew: bool,
) -> Result<bool> {
    let container_name = service.container(name);
    let existing = engine.container(container_name).await?;
    // One that is kept needs no image, wherever that has gone.
    let is_kept = |found| !anew && reconcile::is_kept(service, found);
    let image_id = match existing.as_ref().is_some_and(is_kept) {
        true => String::new(),
        false => image_id(engine, service).await?,
    };
    let hash = container::hash(name, service, &image_id, environment);
    let action = match &existing {
        Some(_) if anew => Action::Recreate {
            start: !service.createonly(),
        },
        existing => reconcile::action(service, &hash, existing.as_ref(), past(name)),
    };
    let body = || container::body(name, service, &hash, environment);
    if action != Action::Nothing
        && service.labels.contains_key(LABEL_NAME)
        && let Some(network) = &service.net
    {
        commands::prepare_network(engine, network).await?;
    }
    match action {
        Action::Nothing => {}
        Action::Start => {
            if let Err(error) = engine.start(container_name).await {
                // Whatever is wrong with a container of an earlier boot, a new one does not have it.
                log(&format!("{error:#}; making it anew"));
                if existing.as_ref().is_some_and(is_kept) {
                    // Without its image there would be no container at all.
                    crate::services::bring_up::image_id(engine, service).await?;
                    retire(engine, container_name, name).await?;
                } else {
                    engine.remove(container_name).await?;
                }
                engine.create(container_name, body()).await?;
                engine.start(container_name).await?;
            }
        }
        Action::Create { start } | Action::Recreate { start } => {
            match action {
                Action::Recreate { .. } => replace(engine, container_name, body()).await?,
                _ => engine.create(container_name, body()).await?,
            }
            if start {
                engine.start(container_name).await?;
            }
        }
    }
    if !service.detach() && action != Action::Nothing && !service.createonly() {
        let code = engine.wait_for_end(container_name).await?;
        mark(DONE, name);
        anyhow::ensure!(
            code == 0,
            "it ended with exit code {code} (`ros service logs {name}` says why)"
        );
    }
    Ok(action != Action::Nothing)
}

/// Makes another container in the place of one, which gets the time that it needs to end, and whose volumes
/// without names go over, as compose does.
async fn replace(engine: &Client, name: &str, body: ContainerCreateBody) -> Result<()> {
    engine.stop(name, None).await?;
    let volumes = engine.unnamed_volumes(name).await?;
    engine.remove(name).await?;
    engine
        .create(name, container::with_volumes(body, volumes))
        .await
}

/// Whether bringing a service up would replace its container.
pub(crate) async fn would_recreate(
    engine: &Client,
    name: &str,
    service: &Service,
    environment: &BTreeMap<String, String>,
) -> Result<bool> {
    let existing = engine.container(service.container(name)).await?;
    let existing = existing.as_ref();
    // Without its image there is nothing that it could be replaced by yet.
    let Some(image_id) = engine.image_id(&service.image).await? else {
        return Ok(!existing.is_some_and(|found| reconcile::is_kept(service, found)));
    };
    let hash = container::hash(name, service, &image_id, environment);
    let action = reconcile::action(service, &hash, existing, Marks::default());
    Ok(matches!(action, Action::Recreate { .. }))
}

/// Makes the container of a service, where there is none or it is to be `anew`, without starting it.
pub(crate) async fn make(
    engine: &Client,
    name: &str,
    service: &Service,
    environment: &BTreeMap<String, String>,
    anew: bool,
) -> Result<()> {
    let container_name = service.container(name);
    let exists = engine.container(container_name).await?.is_some();
    if exists && !anew {
        return Ok(());
    }
    let image_id = image_id(engine, service).await?;
    let hash = container::hash(name, service, &image_id, environment);
    let body = container::body(name, service, &hash, environment);
    match exists {
        true => replace(engine, container_name, body).await,
        false => engine.create(container_name, body).await,
    }
}

/// The id of a service's image, which is built or pulled where it is not there.
async fn image_id(engine: &Client, service: &Service) -> Result<String> {
    let image = &service.image;
    if let Some(id) = engine.image_id(image).await? {
        return Ok(id);
    }
    let got = match &service.build {
        Some(build) => build::image(engine, image, build, build::Options::default()).await,
        None => engine.pull(image).await,
    };
    got.with_context(|| format!("image {image} is not there"))?;
    engine
        .image_id(image)
        .await?
        .with_context(|| format!("image {image} is still not there"))
}

/// Forgets that a service was stopped, or has run to its end, in this boot.
pub(crate) fn clear_marks(name: &str) {
    set_stopped(name, false);
    let _ = std::fs::remove_file(marker(DONE, name));
}

async fn restart(engine: &Client, name: &str, services: &Services) -> Result<()> {
    let container = services
        .get(name)
        .map_or(name, |service| service.container(name));
    engine.stop(container, None).await?;
    engine.start(container).await
}

/// Removes containers whose service is gone from the configuration.
pub(crate) async fn remove_orphans(engine: &Client, loaded: &Loaded, scope: Scope) -> Result<()> {
    let services = of_scope(loaded, scope);
    let existing: Vec<Container> = engine.containers(true).await?;
    for name in reconcile::orphans(&existing, |service| services.contains_key(service)) {
        engine.remove(name).await?;
    }
    Ok(())
}

/// Removes the user's containers of services that are to have fewer than before. What else is no longer in the
/// configuration is left to its user.
pub(crate) async fn remove_surplus(engine: &Client, loaded: &Loaded) -> Result<()> {
    let services = of_scope(loaded, Scope::User);
    let mut existing = engine.containers(true).await?;
    existing.retain(|container| container.labels.contains_key(REPLICA_OF));
    for name in reconcile::orphans(&existing, |service| services.contains_key(service)) {
        engine.remove(name).await?;
    }
    Ok(())
}

/// Whether a service that runs to its end has done so in this boot.
pub(crate) fn has_ended(name: &str) -> bool {
    past(name).done
}

fn past(name: &str) -> Marks {
    Marks {
        done: marker(DONE, name).exists(),
        stopped: marker(STOPPED, name).exists(),
    }
}

/// Remembers that an operator stopped a service, or that it has been started again.
pub(crate) fn set_stopped(name: &str, stopped: bool) {
    if stopped {
        mark(STOPPED, name);
    } else {
        let _ = std::fs::remove_file(marker(STOPPED, name));
    }
}

fn mark(folder: &str, name: &str) {
    let file = marker(folder, name);
    let _ = std::fs::create_dir_all(folder);
    if let Err(error) = std::fs::write(&file, "") {
        log(&format!("writing {}: {error}", file.display()));
    }
}

fn marker(folder: &str, name: &str) -> PathBuf {
    Path::new(folder).join(name.replace('/', "_"))
}

fn log(text: &str) {
    eprintln!("ros sysinit: {text}");
}
