//! `ros stop-containers`: PID 1 runs it when the machine goes down. The user's containers first, each
//! with its own grace period, dependants before what they depend on; then the system's.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use host::console;
use os_config::compose::order::order;
use os_config::compose::service::Scope;
use tokio::task::JoinSet;

use crate::docker::{self, Client};
use crate::services::bring_up;
use crate::services::user_containers::{self, RestartScope};

/// An engine that does not answer by then is not asked.
const ANSWER: Duration = Duration::from_secs(3);
/// For system containers without a grace period of their own: they keep nothing in memory.
const SYSTEM_GRACE: i32 = 3;
/// User Docker's daemon writes its state.
const DOCKER_GRACE: i32 = 15;
/// What is left of the deadline for the system's containers.
const FOR_SYSTEM: Duration = Duration::from_secs(6);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Seconds after which it ends whatever still runs.
    deadline: u64,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let runtime = docker::runtime()?;
    let deadline = Instant::now() + Duration::from_secs(args.deadline);
    runtime.block_on(async {
        let for_users = deadline
            .checked_sub(FOR_SYSTEM)
            .unwrap_or_else(Instant::now);
        let stopped = user_containers::stop(RestartScope::UnlessStopped);
        if tokio::time::timeout_at(for_users.into(), stopped)
            .await
            .is_err()
        {
            console::line("ros: some containers did not stop in time and are killed");
            // Left to User Docker's own shutdown, they would be given all their grace once more.
            let _ = tokio::time::timeout(ANSWER, user_containers::kill()).await;
        }
        if tokio::time::timeout_at(deadline.into(), stop_system())
            .await
            .is_err()
        {
            console::line("ros: some system containers did not stop in time and are killed");
        }
    });
    Ok(ExitCode::SUCCESS)
}

async fn stop_system() {
    let Ok(engine) = Client::wait_for(docker::SYSTEM, ANSWER).await else {
        return;
    };
    let Ok(running) = engine.containers(false).await else {
        return;
    };
    let loaded = os_config::load::load(Path::new("/"));
    let services = bring_up::of_scope(&loaded, Scope::System);
    let mut waves = order(&services).waves;
    for name in waves.iter_mut().flatten() {
        if let Some(service) = services.get(name) {
            *name = service.container(name).to_owned();
        }
    }
    let mut names: BTreeSet<String> = running
        .iter()
        .map(|container| container.name.clone())
        .collect();
    // By the names of their containers.
    let services: bring_up::Services = services
        .into_iter()
        .map(|(name, service)| (service.container(&name).to_owned(), service))
        .collect();
    let known: Vec<Vec<String>> = waves
        .into_iter()
        .rev()
        .map(|wave| wave.into_iter().filter(|name| names.remove(name)).collect())
        .collect();
    // What no service knows of depends on nothing that is known.
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

/// Stops containers at the same time, each within its grace in seconds, or its own.
pub(crate) async fn stop_all(
    engine: &Client,
    names: Vec<String>,
    grace: impl Fn(&str) -> Option<i32>,
) {
    let mut stops = JoinSet::new();
    for name in names {
        let (engine, seconds) = (engine.clone(), grace(&name));
        stops.spawn(async move {
            let began = Instant::now();
            let result = engine.stop(&name, seconds).await;
            println!(
                "{name} stopped after {:.2} s",
                began.elapsed().as_secs_f64()
            );
            if let Err(error) = result {
                console::line(&format!("ros: {error:#}"));
            }
        });
    }
    while stops.join_next().await.is_some() {}
}
