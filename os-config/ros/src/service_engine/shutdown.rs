//! `ros stop-containers`: PID 1 runs it when the machine goes down. The user's containers stop first, each with its own
//! grace period, dependants before their dependencies; then the system's containers.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use host::console;
use host::paths::UP;
use host::perform::clock;
use os_config::LoadedConfig;
use os_config::compose::order::stop_waves;
use os_config::compose::service::Scope;

use crate::docker::stop::{stop_all, terminate};
use crate::docker::{self, Client, hollow_images};
use crate::service_engine::bring_up::USER_DOCKER;
use crate::service_engine::scope::{Services, services_of};
use crate::service_engine::slot_count;
use crate::user_docker::user_containers::{self, RestartSelection};

/// The limit for an engine's answer; after it, the engine is left out.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(3);
/// Seconds for system containers without a grace period of their own: they hold no unsaved data.
const SYSTEM_GRACE: i32 = 3;
/// The limit for User Docker's daemons, which write their state.
const DOCKER_GRACE: Duration = Duration::from_secs(15);
/// The part of the deadline that is reserved for the system's containers.
const SYSTEM_RESERVE: Duration = Duration::from_secs(6);

/// The image's own services but User Docker. They hold no data of users.
const OF_IMAGE: [&str; 6] = ["acpid", "console", "network", "ntp", "syslog", "udev"];

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
    let mut gives_count_back = Path::new(UP).exists();
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
        match tokio::time::timeout_at(deadline.into(), stop_system(&loaded)).await {
            // A slot whose System Docker does not answer is not good, and its starts run out.
            Ok(is_engine_alive) => gives_count_back |= is_engine_alive,
            Err(_) => console::print_line(
                "ros: some system containers did not stop in time and are killed",
            ),
        }
    });
    hollow_images::end_boot();
    if gives_count_back {
        slot_count::give_back();
    }
    Ok(ExitCode::SUCCESS)
}

/// The containers of the image's own services that PID 1 ends with all other processes, by the same SIGTERM: Docker's way
/// of stopping a container costs the starts of several programs. User Docker is not among them, because it stops its
/// own containers; a service with a grace period of its own has data.
fn ended_with_all_processes(services: &Services) -> BTreeSet<String> {
    services
        .iter()
        .filter(|(name, service)| {
            OF_IMAGE.contains(&name.as_str()) && service.stop_grace_period.is_none()
        })
        .map(|(name, service)| service.container(name).to_owned())
        .collect()
}

/// Stops the system's containers, and returns whether System Docker has answered.
async fn stop_system(loaded: &LoadedConfig) -> bool {
    let Ok(engine) = Client::wait_for(docker::SYSTEM, ENGINE_TIMEOUT).await else {
        return false;
    };
    let Ok(running) = engine.containers(false).await else {
        return false;
    };
    let services = services_of(loaded, Scope::System);
    let mut waves = stop_waves(&services);
    for name in waves.iter_mut().flatten() {
        if let Some(service) = services.get(name) {
            *name = service.container(name).to_owned();
        }
    }
    let left_out = ended_with_all_processes(&services);
    let mut names: BTreeSet<String> = running
        .iter()
        .map(|container| container.name.clone())
        .filter(|name| !left_out.contains(name))
        .collect();
    // The services by the names of their containers.
    let services: Services = services
        .into_iter()
        .map(|(name, service)| (service.container(&name).to_owned(), service))
        .collect();
    // Before the waves, of which it is no part.
    let is_docker_running = services.contains_key(USER_DOCKER) && names.remove(USER_DOCKER);
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
                None => Some(SYSTEM_GRACE),
            }
        })
        .await;
    }
    if is_docker_running {
        let own = services
            .get(USER_DOCKER)
            .and_then(|service| service.stop_grace_period);
        let grace = own.unwrap_or(DOCKER_GRACE);
        if let Err(error) = terminate(&engine, USER_DOCKER, grace).await {
            console::print_line(&format!("ros: {error:#}"));
        }
    }
    true
}
