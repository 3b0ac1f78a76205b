//! Brings the services of a scope up, in parallel: each service starts as soon as its dependencies are done.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use host::problems::ProblemRecord;
use os_config::LoadedConfig;
use os_config::compose::order::{Order, order};
use os_config::compose::service::{REPLICA_OF, Scope, Service};
use tokio::task::JoinSet;

use crate::docker::Container;
use crate::docker::{Client, USER};
use crate::network::default_route;
use crate::service_engine::reconcile;
use crate::service_engine::scope::{Services, services_of};
use crate::service_engine::service_container::ServiceContainer;
use crate::user_docker::start_gate;

/// The service in whose container User Docker runs.
pub(crate) const USER_DOCKER: &str = "docker";
/// The limit for User Docker's answer; after it, the services that need User Docker start in any case.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(30);

/// The outcome of bringing services up.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Whether any container was made or started.
    pub(crate) changed: bool,
    /// A problem per service that could not be brought up.
    pub(crate) problems: Vec<ProblemRecord>,
    /// The services that could not be started.
    pub(crate) failed: BTreeSet<String>,
}

/// Brings all services of a scope up. `reload` loads the configuration again after a service that changes it; services
/// that have not started are planned again. The services that `reload` names are restarted if they run already.
pub(crate) async fn start_scope(
    engine: &Client,
    scope: Scope,
    loaded: &mut LoadedConfig,
    mut reload: impl FnMut(&mut LoadedConfig) -> BTreeSet<String>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut services = services_of(loaded, scope);
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
            let waits_for_commands = start_gate::has_early_work(&loaded.config);
            let waits_for_route = scope == Scope::System && service.waits_for_route();
            running.spawn(async move {
                if waits_for_route {
                    default_route::wait().await;
                }
                let container = ServiceContainer {
                    engine: &engine,
                    name: &name,
                    service: &service,
                    environment: &environment,
                };
                let result = container.ensure_running(false).await;
                // A User Docker that starts after the user's commands would hold up udev, which the commands wait for.
                if name == USER_DOCKER && scope == Scope::System && !waits_for_commands {
                    // Services that depend on User Docker use it. Another task reports a User Docker that does not
                    // answer.
                    let _ = Client::wait_for(USER, ENGINE_TIMEOUT).await;
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
                outcome.problems.push(service_problem(&name, &error));
                outcome.failed.insert(name.clone());
            }
        }
        if services.get(&name).is_some_and(Service::reloadconfig) {
            let outdated = reload(loaded);
            services = services_of(loaded, scope);
            plan = order(&services);
            for name in outdated.intersection(&done) {
                let result = restart(engine, name, &services).await;
                let problem = result.err().map(|error| service_problem(name, &error));
                outcome.problems.extend(problem);
            }
        }
        done.insert(name);
    }
    // Reported at the end, because a data source may change the plan.
    let of_order = plan
        .errors
        .iter()
        .map(|error| ProblemRecord::error("service.order", "services", error.to_string()));
    outcome.problems.extend(of_order);
    outcome
}

fn service_problem(name: &str, error: &anyhow::Error) -> ProblemRecord {
    let source = format!("service {name}");
    let text = format!("{source}: {error:#}");
    ProblemRecord::error(problem_id(name), source, text)
}

/// The id of a service's problem, which is solved when the service starts.
pub(super) fn problem_id(name: &str) -> String {
    format!("service.{name}")
}

fn ready(plan: &Order, begun: &BTreeSet<String>, done: &BTreeSet<String>) -> Vec<String> {
    plan.dependencies
        .iter()
        .filter(|(name, needs)| {
            // A service that left the plan is not waited for.
            let is_done =
                |needed: &String| done.contains(needed) || !plan.dependencies.contains_key(needed);
            !begun.contains(*name) && needs.iter().all(is_done)
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// Restarts the container of a service.
pub(crate) async fn restart(engine: &Client, name: &str, services: &Services) -> Result<()> {
    let container = services
        .get(name)
        .map_or(name, |service| service.container(name));
    engine.stop(container, None).await?;
    engine.start(container).await
}

/// Stops containers whose service is gone from the configuration. They stay with what is in them: a file of the
/// configuration may be missing or broken at this boot alone.
pub(crate) async fn stop_orphans(
    engine: &Client,
    loaded: &LoadedConfig,
    scope: Scope,
) -> Result<()> {
    let services = services_of(loaded, scope);
    let existing: Vec<Container> = engine.containers(true).await?;
    for name in reconcile::orphans(&existing, |service| services.contains_key(service)) {
        let is_running = existing
            .iter()
            .any(|container| container.name == *name && container.running);
        if is_running {
            engine.stop(name, None).await?;
            println!(
                "{name} belongs to no service any more and is stopped; `system-docker rm {name}` removes it"
            );
        }
    }
    Ok(())
}

/// Removes the surplus containers of user services that were scaled down. Other containers that left the configuration
/// belong to the user.
pub(crate) async fn remove_surplus(engine: &Client, loaded: &LoadedConfig) -> Result<()> {
    let services = services_of(loaded, Scope::User);
    let mut existing = engine.containers(true).await?;
    existing.retain(|container| container.labels.contains_key(REPLICA_OF));
    for name in reconcile::orphans(&existing, |service| services.contains_key(service)) {
        engine.remove(name).await?;
    }
    Ok(())
}
