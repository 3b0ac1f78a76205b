//! What is tried again after a boot: services that did not start, definitions and images that the network did not have
//! yet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use host::console;
use host::problems::{self, ProblemRecord};
use host::restart::BackOff;
use os_config::compose::order::order;
use os_config::compose::service::{Scope, Service};
use os_config::{Config, Switchable};
use tokio::sync::watch::Sender;
use tokio::task::JoinSet;

use crate::docker::{self, Client};
use crate::service;
use crate::service_engine::marks::Marks;
use crate::service_engine::scope::{Services, services_of};
use crate::service_engine::service_container::ServiceContainer;
use crate::service_engine::{bring_up, effective_config};
use crate::switch;

use super::waits::{ENGINE_TIMEOUT, FIRST_RETRY, wait_for_commands};

/// The pauses between attempts that need the network or a registry.
pub(super) const RETRIES: BackOff = BackOff::new(FIRST_RETRY, Duration::from_secs(60));
/// The attempts to fetch a definition before a failure is a problem.
const FETCH_ATTEMPTS: u32 = 4;

/// Replaces the image's own console or engine by the chosen console or engine as soon as the chosen image can be
/// pulled. Ends when the configuration chooses another.
pub(super) async fn switch_when_pulled(system: &Client, switchable: Switchable, name: &str) {
    if switchable == Switchable::Console {
        // The user's boot commands run in the console that runs now.
        wait_for_commands().await;
    }
    let mut retries = RETRIES;
    loop {
        // The user's boot commands or an operator may have chosen another meanwhile.
        let config = os_config::load::load(Path::new("/")).config;
        if switchable.chosen_name(&config) != name {
            return;
        }
        let switched = switch::boot::switch_when_pulled(system, switchable, name, config).await;
        let Err(error) = switched else { return };
        eprintln!(
            "ros sysinit: {} {name}: {error:#}",
            switchable.display_name()
        );
        tokio::time::sleep(retries.next_pause()).await;
    }
}

/// Starts the services of an included definition as soon as the definition can be fetched. Ends when the configuration
/// does not include it any more.
pub(super) async fn start_when_fetched(system: Client, services: Sender<Services>, name: String) {
    let id = format!("service.definition.{name}");
    let mut retries = RETRIES;
    for attempt in 1_u32.. {
        let before = effective_config::load_with_choices(&BTreeMap::new());
        if !before.absent_definitions.contains(&name) {
            return;
        }
        match fetch_included(before.config.clone(), name.clone()).await {
            Ok(()) => {
                problems::clear(&id);
                return start_new(&system, &services, &before.config).await;
            }
            // The network may need its time.
            Err(error) if attempt < FETCH_ATTEMPTS => eprintln!("ros sysinit: {name}: {error:#}"),
            Err(error) => {
                let text =
                    format!("rancher.services_include: {name}: {error:#}; it is tried again");
                let key = "rancher.services_include";
                problems::report(&ProblemRecord::error(&id, key, text));
            }
        }
        tokio::time::sleep(retries.next_pause()).await;
    }
}

/// Fetches an included definition in a thread, because the client of HTTP waits.
pub(super) async fn fetch_included(config: Config, name: String) -> Result<()> {
    let fetch = move || service::fetch_definition(Path::new("/"), &config, &name);
    tokio::task::spawn_blocking(fetch)
        .await
        .context("fetching its definition")?
}

/// Starts the services that the configuration has and `before` had not.
pub(super) async fn start_new(system: &Client, services: &Sender<Services>, before: &Config) {
    let found = (system.images().await, system.containers(true).await);
    let (Ok(images), Ok(existing)) = found else {
        // System Docker went away; the next round starts all services.
        return;
    };
    let (loaded, _) = effective_config::load_startable(&images, &existing);
    services.send_replace(services_of(&loaded, Scope::System));
    let all = &loaded.config.rancher.services;
    let names = order(all).waves.into_iter().flatten();
    for name in names.filter(|name| !before.rancher.services.contains_key(name)) {
        let Some(scope) = all.get(&name).map(Service::scope) else {
            continue;
        };
        let engine = match scope {
            Scope::System => Ok(system.clone()),
            Scope::User => Client::wait_for(docker::USER, ENGINE_TIMEOUT).await,
        };
        let started = match engine {
            Ok(engine) => {
                let engine = engine.with_logins(&loaded.config);
                let started = start_service(&engine, scope, &name).await;
                if started.is_err() {
                    tokio::spawn(retry_failed(engine, scope, BTreeSet::from([name.clone()])));
                }
                started
            }
            Err(error) => Err(error.context("User Docker does not answer")),
        };
        match started {
            Ok(_) => console::print_line(&format!("ros: service {name} is started now")),
            Err(error) => {
                let text = format!("service {name}: {error:#}");
                let source = format!("service {name}");
                problems::report(&ProblemRecord::error(
                    bring_up::problem_id(&name),
                    source,
                    text,
                ));
            }
        }
    }
}

/// Starts the failed services again until all run, each in a task of its own: an image can be pulled once the network
/// is there, a device appears later, memory and processes get free.
pub(super) async fn retry_failed(engine: Client, scope: Scope, failed: BTreeSet<String>) {
    let mut retries = JoinSet::new();
    for name in failed {
        retries.spawn(retry_service(engine.clone(), scope, name));
    }
    let mut is_any_started = false;
    while let Some(result) = retries.join_next().await {
        is_any_started |= matches!(result, Ok(true));
    }
    if is_any_started {
        console::print_line("ros: all configured services are started now");
    }
}

/// Starts a service again until it runs. Returns whether it does; it does not if the configuration or an operator gave
/// it up meanwhile.
async fn retry_service(engine: Client, scope: Scope, name: String) -> bool {
    let mut retries = RETRIES;
    loop {
        tokio::time::sleep(retries.next_pause()).await;
        match start_service(&engine, scope, &name).await {
            Ok(runs) => return runs,
            Err(error) => eprintln!("ros sysinit: service {name}: {error:#}"),
        }
    }
}

/// Starts a service as the configuration describes it now. Returns whether it was still to be started.
pub(super) async fn start_service(engine: &Client, scope: Scope, name: &str) -> Result<bool> {
    let loaded = match scope {
        // The image's own console or engine may be standing in.
        Scope::System => {
            effective_config::load_startable(
                &engine.images().await?,
                &engine.containers(true).await?,
            )
            .0
        }
        Scope::User => effective_config::load_with_choices(&BTreeMap::new()),
    };
    let services = services_of(&loaded, scope);
    // A service that has run to its end is not started again, even if it failed.
    let Some(service) = services.get(name).filter(|_| !Marks::read(name).done) else {
        return Ok(false);
    };
    let container = ServiceContainer {
        engine,
        name,
        service,
        environment: &loaded.config.rancher.environment,
    };
    container.ensure_running(false).await?;
    problems::clear(&bring_up::problem_id(name));
    Ok(true)
}
