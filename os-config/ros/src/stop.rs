//! `ros stop-containers`: PID 1 runs it when the machine goes down. The user's containers first, each
//! with its own grace period, dependants before what they depend on; then the system's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use init::announce;
use os_config::order::order;
use os_config::services::Scope;
use os_config::whole_file;
use tokio::task::JoinSet;

use crate::docker::{self, Engine, Existing};
use crate::start;

/// An engine that does not answer by then is not asked.
const ANSWER: Duration = Duration::from_secs(3);
/// For system containers without a grace period of their own: they keep nothing in memory.
const SYSTEM_GRACE: i32 = 3;
/// User Docker's daemon writes its state.
const DOCKER_GRACE: i32 = 15;
/// What is left of the deadline for the system's containers.
const FOR_SYSTEM: Duration = Duration::from_secs(6);
/// Containers that the shutdown stopped and that are to run again, by name.
const STOPPED: &str = "/var/lib/rancher/stopped-at-shutdown";
const COMPOSE_DEPENDS_ON: &str = "com.docker.compose.depends_on";
const COMPOSE_PROJECT: &str = "com.docker.compose.project";
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

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
        if tokio::time::timeout_at(for_users.into(), stop_users())
            .await
            .is_err()
        {
            announce::line("ros: some containers did not stop in time and are killed");
            // Left to User Docker's own shutdown, they would be given all their grace once more.
            let _ = tokio::time::timeout(ANSWER, kill_users()).await;
        }
        if tokio::time::timeout_at(deadline.into(), stop_system())
            .await
            .is_err()
        {
            announce::line("ros: some system containers did not stop in time and are killed");
        }
    });
    Ok(ExitCode::SUCCESS)
}

async fn stop_users() {
    if !Path::new(docker::USER).exists() {
        return;
    }
    let Ok(engine) = Engine::wait_for(docker::USER, ANSWER).await else {
        return;
    };
    let Ok(running) = engine.containers(false).await else {
        return;
    };
    if let Err(error) = remember_unless_stopped(&engine, &running).await {
        announce::line(&format!("ros: {error:#}"));
    }
    for wave in user_waves(&running) {
        announce::line(&format!("ros: stopping {}", wave.join(", ")));
        stop_all(&engine, wave, |_| None).await;
    }
}

/// The engine takes a stop that is asked for as its user's wish, and would not start a container whose policy is
/// `unless-stopped` at the next boot. Asking is the only way to keep an order, so these are kept in mind.
async fn remember_unless_stopped(engine: &Engine, running: &[Existing]) -> Result<()> {
    let mut names = String::new();
    for container in running {
        if engine.is_unless_stopped(&container.name).await? {
            names.push_str(&container.name);
            names.push('\n');
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    whole_file::replace(Path::new(STOPPED), names.as_bytes(), 0o600)
        .with_context(|| format!("writing {STOPPED}"))
}

/// Starts what the last shutdown stopped, and its user did not.
pub(crate) async fn start_again(engine: &Engine) {
    let Ok(names) = fs::read_to_string(STOPPED) else {
        return;
    };
    // First of all: what is tried at a boot is not to be tried at the next one, whatever was done meanwhile.
    if let Err(error) = fs::remove_file(STOPPED) {
        eprintln!("ros: removing {STOPPED}: {error}");
    }
    for name in names.lines() {
        if let Err(error) = engine.start(name).await {
            init::problems::say(&format!("{error:#}"));
        }
    }
}

async fn kill_users() {
    let Ok(engine) = Engine::wait_for(docker::USER, ANSWER).await else {
        return;
    };
    let Ok(running) = engine.containers(false).await else {
        return;
    };
    let names = running.into_iter().map(|container| container.name);
    stop_all(&engine, names.collect(), |_| Some(0)).await;
}

async fn stop_system() {
    let Ok(engine) = Engine::wait_for(docker::SYSTEM, ANSWER).await else {
        return;
    };
    let Ok(running) = engine.containers(false).await else {
        return;
    };
    let loaded = os_config::load::load(Path::new("/"));
    let services = start::of_scope(&loaded, Scope::System);
    let mut names: BTreeSet<String> = running
        .iter()
        .map(|container| container.name.clone())
        .collect();
    let known: Vec<Vec<String>> = order(&services)
        .waves
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

async fn stop_all(engine: &Engine, names: Vec<String>, grace: impl Fn(&str) -> Option<i32>) {
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
                announce::line(&format!("ros: {error:#}"));
            }
        });
    }
    while stops.join_next().await.is_some() {}
}

/// Running containers in the order of stopping: those that compose says depend on others first.
fn user_waves(running: &[Existing]) -> Vec<Vec<String>> {
    let label =
        |container: &Existing, name: &str| container.labels.get(name).cloned().unwrap_or_default();
    let mut dependants: BTreeMap<&str, BTreeSet<&str>> = running
        .iter()
        .map(|container| (container.name.as_str(), BTreeSet::new()))
        .collect();
    for container in running {
        // `db:service_started:false,cache:…`
        for needed in label(container, COMPOSE_DEPENDS_ON)
            .split(',')
            .filter_map(|entry| entry.split(':').next())
        {
            for other in running {
                let same = label(other, COMPOSE_PROJECT) == label(container, COMPOSE_PROJECT);
                if same && !needed.is_empty() && label(other, COMPOSE_SERVICE) == needed {
                    dependants
                        .entry(&other.name)
                        .or_default()
                        .insert(&container.name);
                }
            }
        }
    }
    let mut waves = Vec::new();
    while !dependants.is_empty() {
        let mut wave: Vec<&str> = dependants
            .iter()
            .filter(|(_, waiting)| waiting.is_empty())
            .map(|(name, _)| *name)
            .collect();
        if wave.is_empty() {
            // Labels can be set by anybody, in a circle too.
            wave = dependants.keys().copied().collect();
        }
        for name in &wave {
            dependants.remove(name);
        }
        for waiting in dependants.values_mut() {
            waiting.retain(|name| !wave.contains(name));
        }
        waves.push(wave.into_iter().map(str::to_owned).collect());
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::user_waves;
    use crate::docker::Existing;

    fn container(name: &str, service: &str, needs: &str) -> Existing {
        let labels = [
            (super::COMPOSE_PROJECT, "p"),
            (super::COMPOSE_SERVICE, service),
            (super::COMPOSE_DEPENDS_ON, needs),
        ];
        Existing {
            name: name.into(),
            running: true,
            labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        }
    }

    #[test]
    fn dependants_stop_first() {
        let running = [
            container("p-db", "db", ""),
            container(
                "p-web",
                "web",
                "db:service_started:false,cache:service_healthy:true",
            ),
            container("p-cache", "cache", "db:service_started:false"),
            container("alone", "", ""),
        ];
        assert_eq!(
            user_waves(&running),
            [vec!["alone", "p-web"], vec!["p-cache"], vec!["p-db"]]
        );
        let circle = [container("a", "a", "b:x"), container("b", "b", "a:x")];
        assert_eq!(user_waves(&circle), [vec!["a", "b"]]);
        assert!(user_waves(&[]).is_empty());
    }
}
