//! The user's containers when their engine goes down and comes back: stopped in their order, each with its own
//! grace, and started again where their user did not stop them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use host::console;
use os_config::atomic_file;

use crate::docker::{self, Client, Container};
use crate::services::shutdown::stop_all;

/// An engine that does not answer by then is not asked.
const ANSWER: Duration = Duration::from_secs(3);
/// What was stopped and is to run again: a name a line, in the order of starting.
const STOPPED: &str = "/var/lib/rancher/stopped-containers";
const COMPOSE_DEPENDS_ON: &str = "com.docker.compose.depends_on";
const COMPOSE_PROJECT: &str = "com.docker.compose.project";
const COMPOSE_SERVICE: &str = "com.docker.compose.service";

/// Which of the stopped containers are to be started again by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartScope {
    /// After a boot: the engine takes a stop that is asked for as its user's wish, and would not start these.
    UnlessStopped,
    /// After a change of engines: whatever ran.
    All,
}

/// Stops all, those first that compose says depend on others, and keeps in mind which are to be started again:
/// asking the engine to stop them is the only way to keep an order.
pub(crate) async fn stop(again: RestartScope) {
    let Some((engine, running)) = running().await else {
        return;
    };
    let waves = user_waves(&running);
    if let Err(error) = remember(&engine, &waves, again).await {
        console::line(&format!("ros: {error:#}"));
    }
    for wave in waves {
        console::line(&format!("ros: stopping {}", wave.join(", ")));
        stop_all(&engine, wave, |_| None).await;
    }
}

/// Ends all at once.
pub(crate) async fn kill() {
    if let Some((engine, running)) = running().await {
        let names = running.into_iter().map(|container| container.name);
        stop_all(&engine, names.collect(), |_| Some(0)).await;
    }
}

async fn running() -> Option<(Client, Vec<Container>)> {
    if !Path::new(docker::USER).exists() {
        return None;
    }
    let engine = Client::wait_for(docker::USER, ANSWER).await.ok()?;
    let running = engine.containers(false).await.ok()?;
    Some((engine, running))
}

async fn remember(engine: &Client, waves: &[Vec<String>], again: RestartScope) -> Result<()> {
    let mut names = String::new();
    for name in waves.iter().rev().flatten() {
        // One that cannot be asked about is better started once too often.
        let is_meant =
            again == RestartScope::All || engine.is_unless_stopped(name).await.unwrap_or(true);
        if is_meant {
            names.push_str(name);
            names.push('\n');
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    atomic_file::replace(Path::new(STOPPED), names.as_bytes(), 0o600)
        .with_context(|| format!("writing {STOPPED}"))
}

/// Starts what [`stop`] has stopped and its user has not.
pub(crate) async fn start_again(engine: &Client) {
    let Ok(names) = fs::read_to_string(STOPPED) else {
        return;
    };
    // First of all: what is tried now is not to be tried at the next boot, whatever was done meanwhile.
    if let Err(error) = fs::remove_file(STOPPED) {
        eprintln!("ros: removing {STOPPED}: {error}");
    }
    let mut waiting = Vec::new();
    for name in names.lines() {
        // It may share the network of one that comes later.
        if engine.start(name).await.is_err() {
            waiting.push(name);
        }
    }
    for name in waiting {
        if let Err(error) = engine.start(name).await
            // One that its engine removes as soon as it ends has gone for good.
            && !matches!(engine.container(name).await, Ok(None))
        {
            host::problems::report(&format!("{error:#}"));
        }
    }
}

/// Running containers in the order of stopping: those that compose says depend on others first.
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
