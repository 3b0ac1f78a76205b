//! The user's containers when their engine goes down and comes back: they stop in order, each with its own grace
//! period, and start again unless their user had stopped them.

pub(super) mod leftovers;
pub(crate) mod limits;
pub(crate) mod restart_list;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use host::console;
use host::problems::{self, ProblemRecord};

use crate::docker::stop::stop_all;
use crate::docker::{self, Client, Container};
use restart_list::RestartList;

/// The limit for the engine's answer; after it, the engine is left out.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(3);
const COMPOSE_DEPENDS_ON: &str = "com.docker.compose.depends_on";
const COMPOSE_PROJECT: &str = "com.docker.compose.project";
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

/// The stopped containers that `ros` starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartSelection {
    /// After a boot: containers with the policy `unless-stopped`, because the engine takes our stop for the user's
    /// wish.
    UnlessStopped,
    /// After a switch of engines: all containers that ran.
    All,
}

/// Stops all containers, dependants first as compose's labels say, and writes down the containers that are to start
/// again. Each container is stopped by its own call, because the engine's own shutdown keeps no order.
pub(crate) async fn stop(restart: RestartSelection) {
    let Some((engine, running)) = running().await else {
        return;
    };
    let waves = user_waves(&running);
    if let Err(error) = remember(&engine, &waves, restart).await {
        // The engine takes a stop by its API for the user's wish, and `unless-stopped` containers would stay down. It
        // stops its containers by itself when it ends, and starts them again.
        console::print_line(&format!(
            "ros: {error:#}; the engine itself stops the containers"
        ));
        return;
    }
    for wave in waves {
        console::print_line(&format!("ros: stopping {}", wave.join(", ")));
        stop_all(&engine, wave, |_| None).await;
    }
}

/// Kills all containers at once, if it is written down which of them start again.
pub(crate) async fn kill() {
    if !RestartList::of_machine().is_written() {
        return;
    }
    if let Some((engine, running)) = running().await {
        let names = running.into_iter().map(|container| container.name);
        stop_all(&engine, names.collect(), |_| Some(0)).await;
    }
}

async fn running() -> Option<(Client, Vec<Container>)> {
    if !Path::new(docker::USER).exists() {
        return None;
    }
    let engine = Client::wait_for(docker::USER, ENGINE_TIMEOUT).await.ok()?;
    let running = engine.containers(false).await.ok()?;
    Some((engine, running))
}

async fn remember(engine: &Client, waves: &[Vec<String>], restart: RestartSelection) -> Result<()> {
    let mut names = Vec::new();
    for name in waves.iter().rev().flatten() {
        // A container of unknown policy is started: once too often is the smaller harm.
        let starts_again = restart == RestartSelection::All
            || engine.is_unless_stopped(name).await.unwrap_or(true);
        if starts_again {
            names.push(name.clone());
        }
    }
    RestartList::of_machine().write(&names)
}

/// Starts the containers that [`stop`] wrote down. A name is removed after the attempt, so that whatever cuts this off,
/// the next boot goes on with the others.
pub(crate) async fn start_again(engine: &Client) {
    let list = RestartList::of_machine();
    if !list.is_written() {
        return;
    }
    let note = |result: Result<()>| {
        if let Err(error) = result {
            eprintln!("ros: {error:#}");
        }
    };
    let mut waiting = Vec::new();
    for name in list.containers() {
        // A container may share the network of a container that comes later.
        if engine.start(&name).await.is_err() {
            waiting.push(name);
        } else {
            note(list.remove(&name));
        }
    }
    for name in waiting {
        if let Err(error) = engine.start(&name).await
            // The engine removes containers that were run with `--rm` when they end.
            && !matches!(engine.container(&name).await, Ok(None))
        {
            problems::report(&ProblemRecord::error(
                "user-container",
                name.as_str(),
                format!("{error:#}"),
            ));
        }
        note(list.remove(&name));
    }
    note(list.clear());
}

/// Starts the containers whose start has failed, after the cause, such as a full disk, has gone.
pub(crate) async fn start_failed(engine: &Client) -> Result<()> {
    for name in engine.failed_starts().await? {
        match engine.start(&name).await {
            Ok(()) => console::print_line(&format!("ros: container {name} is started again")),
            Err(error) => eprintln!("ros: {error:#}"),
        }
    }
    Ok(())
}

/// Running containers in the order of stopping: dependants first, as compose's labels say.
fn user_waves(running: &[Container]) -> Vec<Vec<String>> {
    let label =
        |container: &Container, name: &str| container.labels.get(name).cloned().unwrap_or_default();
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
            // A user can set the labels to a circle.
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
    use crate::docker::Container;

    fn container(name: &str, service: &str, needs: &str) -> Container {
        let labels = [
            (super::COMPOSE_PROJECT, "p"),
            (super::COMPOSE_SERVICE, service),
            (super::COMPOSE_DEPENDS_ON, needs),
        ];
        Container {
            name: name.into(),
            running: true,
            labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..Container::default()
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
