//! `ros stop-containers`: PID 1 runs it when the machine goes down. The user's containers stop first, each with its own
//! grace period, dependants before their dependencies; then the system's containers.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use host::console;
use host::perform::clock;
use os_config::LoadedConfig;
use os_config::compose::order::stop_waves;
use os_config::compose::service::Scope;

use crate::docker::stop::stop_all;
use crate::docker::{self, Client, hollow_images};
use crate::service_engine::scope::{Services, services_of};
use crate::user_docker::user_containers::{self, RestartSelection};

/// The limit for an engine's answer; after it, the engine is left out.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(3);
/// Seconds for system containers without a grace period of their own: they hold no unsaved data.
const SYSTEM_GRACE: i32 = 3;
/// Seconds for User Docker's daemon, which writes its state.
const DOCKER_GRACE: i32 = 15;
/// The part of the deadline that is reserved for the system's containers.
const SYSTEM_RESERVE: Duration = Duration::from_secs(6);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seconds after which it ends whatever still runs.
    deadline: u64,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let runtime = docker::runtime()?;
    let deadline = Instant::now() + Duration::from_secs(args.deadline);
    if let Err(error) = clock::record() {
        eprintln!("ros: {error:#}");
    }
    runtime.block_on(async {
        let for_users = deadline
            .checked_sub(SYSTEM_RESERVE)
            .unwrap_or_else(Instant::now);
        let stopped = user_containers::stop(RestartSelection::UnlessStopped);
        if tokio::time::timeout_at(for_users.into(), stopped)
            .await
            .is_err()
        {
            console::print_line("ros: some containers did not stop in time and are killed");
            // User Docker's own shutdown would give them their grace period once more.
            let _ = tokio::time::timeout(ENGINE_TIMEOUT, user_containers::kill()).await;
        }
        // After the user's containers: a slow disk takes none of their time.
        let loaded = os_config::load::load(Path::new("/"));
        if tokio::time::timeout_at(deadline.into(), stop_system(&loaded))
            .await
            .is_err()
        {
            console::print_line("ros: some system containers did not stop in time and are killed");
        }
    });
    hollow_images::end_boot();
    Ok(ExitCode::SUCCESS)
}

async fn stop_system(loaded: &LoadedConfig) {
    let Ok(engine) = Client::wait_for(docker::SYSTEM, ENGINE_TIMEOUT).await else {
        return;
    };
    let Ok(running) = engine.containers(false).await else {
        return;
    };
    let services = services_of(loaded, Scope::System);
    let mut waves = stop_waves(&services);
    for name in waves.iter_mut().flatten() {
        if let Some(service) = services.get(name) {
            *name = service.container(name).to_owned();
        }
    }
    let mut names: BTreeSet<String> = running
        .iter()
        .map(|container| container.name.clone())
        .collect();
    // The services by the names of their containers.
    let services: Services = services
        .into_iter()
        .map(|(name, service)| (service.container(&name).to_owned(), service))
        .collect();
    let known: Vec<Vec<String>> = waves
        .into_iter()
        .map(|wave| wave.into_iter().filter(|name| names.remove(name)).collect())
        .collect();
    // A container without a service depends on no service.
    let waves = std::iter::once(names.into_iter().collect()).chain(known);
    for wave in waves.filter(|wave: &Vec<String>| !wave.is_empty()) {
        stop_all(&engine, wave, |name| {
            let own = services
                .get(name)
                .and_then(|service| service.stop_grace_period);
            match own {
                Some(_) => None,
                None if name == "docker" => Some(DOCKER_GRACE),
                None => Some(SYSTEM_GRACE),
            }
        })
        .await;
    }
}
