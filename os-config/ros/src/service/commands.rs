//! What `ros service` does to containers, each in the engine of its service's scope.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result, bail, ensure};
use os_config::Config;
use os_config::compose::order::order;
use os_config::compose::service::{REPLICA_OF, Scope, Service};
use os_config::load::{Switchable, legacy_names};

use crate::console::write_files;
use crate::docker::{self, Client};
use crate::docker::{build, progress};
use crate::output::Format;
use crate::service::logs::{self, Lines};
use crate::service::{Action, RecreateOptions};
use crate::services::marks;
use crate::services::service_container::ServiceContainer;

/// A service with the engine that it runs in.
pub(super) struct Target {
    pub(super) name: String,
    pub(super) service: Service,
    pub(super) engine: Client,
}

impl Target {
    pub(super) fn container(&self) -> &str {
        self.service.container(&self.name)
    }

    fn service_container<'a>(
        &'a self,
        environment: &'a BTreeMap<String, String>,
    ) -> ServiceContainer<'a> {
        ServiceContainer {
            engine: &self.engine,
            name: &self.name,
            service: &self.service,
            environment,
        }
    }
}

/// The configuration and the engines that answer.
struct Engines {
    config: Config,
    system: Option<Client>,
    user: Option<Client>,
}

impl Engines {
    async fn read() -> Self {
        let mut config = os_config::load::load(Path::new("/")).config;
        write_files::mount_into(&mut config.rancher.services, &config.write_files);
        let engine = async |socket| {
            let engine = Client::connect(socket).await.ok()?;
            Some(engine.with_logins(&config))
        };
        let (system, user) = (engine(docker::SYSTEM).await, engine(docker::USER).await);
        Self {
            config,
            system,
            user,
        }
    }

    fn engine(&self, scope: Scope) -> Result<Client> {
        let (engine, name) = match scope {
            Scope::System => (&self.system, "System Docker"),
            Scope::User => (&self.user, "User Docker"),
        };
        engine
            .clone()
            .with_context(|| format!("{name} does not answer"))
    }

    /// The named services, those that others wait for first. All of them are known, or none is returned.
    fn targets(&self, names: &[String]) -> Result<Vec<Target>> {
        let services = &self.config.rancher.services;
        let current = |name: &String| match services.contains_key(name) {
            true => name.clone(),
            false => legacy_names::current_name(name).to_owned(),
        };
        let names: Vec<String> = names.iter().map(current).collect();
        let unknown: Vec<&str> = names
            .iter()
            .filter(|name| !services.contains_key(*name))
            .map(String::as_str)
            .collect();
        if !unknown.is_empty() {
            let known: Vec<&str> = services.keys().map(String::as_str).collect();
            bail!(
                "there is no service {}\nhint: there are {}; `ros service enable` adds one of the catalogue",
                unknown.join(", "),
                known.join(", ")
            );
        }
        // Who names a service means all of its containers.
        let wanted = |(name, service): &(&String, &Service)| {
            let first = service.labels.get(REPLICA_OF).unwrap_or(name);
            names.contains(name) || names.contains(first)
        };
        let mut wanted: BTreeSet<&String> = services
            .iter()
            .filter(wanted)
            .map(|(name, _)| name)
            .collect();
        let waves = order(services).waves.into_iter().flatten();
        let in_order: Vec<String> = waves.filter(|name| wanted.remove(name)).collect();
        // What is in a circle has no order, but a name.
        in_order
            .iter()
            .chain(wanted)
            .map(|name| {
                let service = services.get(name).context("a service vanished")?;
                Ok(Target {
                    name: name.clone(),
                    engine: self.engine(service.scope())?,
                    service: service.clone(),
                })
            })
            .collect()
    }

    /// The same, if they may be made: those that are built have been, if nothing is to be built.
    async fn targets_to_create(
        &self,
        names: &[String],
        options: RecreateOptions,
    ) -> Result<Vec<Target>> {
        let targets = self.targets(names)?;
        if options.no_build {
            each(&targets, ensure_built).await?;
        }
        Ok(targets)
    }
}

pub(super) async fn run_action(action: &Action) -> Result<ExitCode> {
    let engines = Engines::read().await;
    match action {
        Action::Up {
            names,
            options,
            foreground,
        } => {
            let targets = engines.targets_to_create(&names.names, *options).await?;
            let environment = &engines.config.rancher.environment;
            let began = SystemTime::now();
            each(&targets, async |target| {
                up(target, environment, *options).await
            })
            .await?;
            if *foreground {
                logs::print(&targets, Lines::Since(began), true).await?;
            }
        }
        Action::Build {
            names,
            no_cache,
            force_rm,
            pull,
        } => {
            let options = build::Options {
                no_cache: *no_cache,
                force_rm: *force_rm,
                pull: *pull,
            };
            each(&engines.targets(&names.names)?, async |target| {
                let how = target.service.build.as_ref();
                let how = how.context("its definition has no `build`: its image is pulled")?;
                build::image(&target.engine, &target.service.image, how, options).await
            })
            .await?;
        }
        Action::Create { names, options } => {
            let targets = engines.targets_to_create(&names.names, *options).await?;
            let environment = &engines.config.rancher.environment;
            each(&targets, async |target| {
                create(target, environment, *options).await
            })
            .await?;
        }
        Action::Start { names, foreground } => {
            let targets = engines.targets(&names.names)?;
            let began = SystemTime::now();
            each(&targets, async |target| {
                target.engine.start(target.container()).await
            })
            .await?;
            if *foreground {
                logs::print(&targets, Lines::Since(began), true).await?;
            }
        }
        Action::Stop { names, timeout } => stop(&engines, &names.names, *timeout).await?,
        Action::Down { names, timeout } => {
            stop(&engines, &names.names, *timeout).await?;
            each(&engines.targets(&names.names)?, async |target| {
                target.engine.remove(target.container()).await
            })
            .await?;
        }
        Action::Restart { names, timeout } => {
            each(&engines.targets(&names.names)?, async |target| {
                let work = target.engine.restart(target.container(), *timeout);
                progress::with_progress(&format!("restarting {}", target.name), work).await
            })
            .await?;
        }
        Action::Kill { names, signal } => {
            each(&engines.targets(&names.names)?, async |target| {
                target.engine.kill(target.container(), signal).await
            })
            .await?;
        }
        Action::Rm {
            names,
            force,
            volumes,
        } => {
            each(&engines.targets(&names.names)?, async |target| {
                remove(target, *force, *volumes).await
            })
            .await?;
        }
        Action::Pull {
            names,
            ignore_pull_failures,
        } => return pull(&engines, &names.names, *ignore_pull_failures).await,
        Action::Ps {
            names,
            quiet,
            format,
        } => return ps(&engines, names, *quiet, *format).await,
        Action::Logs {
            names,
            follow,
            tail,
        } => {
            let targets = engines.targets(&names.names)?;
            logs::print(&targets, Lines::Last(tail), *follow).await?;
        }
        _ => bail!("this is no action on containers"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Does something to each; the first failure ends it, and says which it was.
async fn each(targets: &[Target], act: impl AsyncFn(&Target) -> Result<()>) -> Result<()> {
    for target in targets {
        act(target)
            .await
            .with_context(|| format!("service {}", target.name))?;
    }
    Ok(())
}

async fn up(
    target: &Target,
    environment: &BTreeMap<String, String>,
    options: RecreateOptions,
) -> Result<()> {
    let (engine, container) = (&target.engine, target.container());
    marks::clear_all(&target.name);
    let exists = engine.container(container).await?.is_some();
    if options.no_recreate && exists {
        return engine.start(container).await;
    }
    if exists
        && let Some(switchable) = as_switchable(target)
        && (options.force_recreate
            || target
                .service_container(environment)
                .would_recreate()
                .await?)
    {
        return refuse_recreation(switchable);
    }
    target
        .service_container(environment)
        .ensure_running(options.force_recreate)
        .await
        .map(drop)
}

/// Whether it is the console or the engine.
fn as_switchable(target: &Target) -> Option<Switchable> {
    Switchable::ALL
        .into_iter()
        .find(|switchable| switchable.service() == target.name)
}

/// Removing the console ends this very command, and the engine has everybody's containers.
fn refuse_recreation(switchable: Switchable) -> Result<()> {
    bail!(
        "it would be made anew, and nobody would be there to start it\nhint: `ros {} switch`, or reboot",
        switchable.word()
    )
}

async fn create(
    target: &Target,
    environment: &BTreeMap<String, String>,
    options: RecreateOptions,
) -> Result<()> {
    let container = target.service_container(environment);
    let recreate =
        options.force_recreate || !options.no_recreate && container.would_recreate().await?;
    if recreate && let Some(switchable) = as_switchable(target) {
        return refuse_recreation(switchable);
    }
    container.ensure_created(recreate).await
}

async fn ensure_built(target: &Target) -> Result<()> {
    let image = &target.service.image;
    ensure!(
        target.service.build.is_none() || target.engine.image_id(image).await?.is_some(),
        "image {image} has not been built\nhint: `ros service build {}`, or leave out --no-build",
        target.name
    );
    Ok(())
}

/// Those that depend on others first.
async fn stop(engines: &Engines, names: &[String], timeout: i32) -> Result<()> {
    let mut targets = engines.targets(names)?;
    targets.reverse();
    each(&targets, async |target| {
        let work = target.engine.stop(target.container(), Some(timeout));
        progress::with_progress(&format!("stopping {}", target.name), work).await
    })
    .await
}

async fn remove(target: &Target, force: bool, volumes: bool) -> Result<()> {
    let container = target.container();
    let found = target.engine.container(container).await?;
    if found.is_some_and(|found| found.running) && !force {
        bail!("{container} runs\nhint: stop it first, or rm --force");
    }
    target.engine.remove_with(container, volumes).await
}

async fn pull(engines: &Engines, names: &[String], go_on: bool) -> Result<ExitCode> {
    let mut failed = false;
    for target in engines.targets(names)? {
        let image = &target.service.image;
        if target.service.build.is_some() {
            println!("{}: {image} is built, not pulled", target.name);
            continue;
        }
        println!("{}: pulling {image}", target.name);
        match target.engine.pull(image).await {
            Ok(()) => {}
            Err(error) if go_on => {
                eprintln!("ros: service {}: {error:#}", target.name);
                failed = true;
            }
            Err(error) => return Err(error).with_context(|| format!("service {}", target.name)),
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Pulls the images of services that are not among `known` and whose images are not here. What cannot be pulled is
/// tried again when they are started.
pub(super) async fn pull_new(known: &BTreeSet<String>) {
    let engines = Engines::read().await;
    for (name, service) in &engines.config.rancher.services {
        let image = &service.image;
        let Ok(engine) = engines.engine(service.scope()) else {
            continue;
        };
        let is_here = !matches!(engine.image_id(image).await, Ok(None));
        if known.contains(name) || service.build.is_some() || is_here {
            continue;
        }
        println!("{name}: pulling {image}");
        if let Err(error) = engine.pull(image).await {
            eprintln!(
                "ros: service {name}: {error:#}\nros: it is tried again when {name} is started"
            );
        }
    }
}

async fn ps(engines: &Engines, names: &[String], quiet: bool, format: Format) -> Result<ExitCode> {
    let services = &engines.config.rancher.services;
    let names: Vec<String> = if names.is_empty() {
        // Whoever looks at all of them wants to see those that can be seen.
        let of_scope = |scope| {
            let there = engines
                .engine(scope)
                .inspect_err(|error| eprintln!("ros: {error:#}"));
            let is_there = there.is_ok();
            let these = services.iter();
            these.filter(move |(_, service)| is_there && service.scope() == scope)
        };
        let both = of_scope(Scope::System).chain(of_scope(Scope::User));
        both.map(|(name, _)| name.clone()).collect()
    } else {
        names.to_vec()
    };
    let mut rows = Vec::new();
    for target in engines.targets(&names)? {
        let found = target.engine.container(target.container()).await?;
        rows.extend(found.map(|found| (target.name, target.service.image, found)));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    if format == Format::Json {
        let list: Vec<_> = rows
            .iter()
            .map(|(name, image, found)| {
                serde_json::json!({"name": name, "id": found.id, "image": image, "state": found.state, "status": found.status})
            })
            .collect();
        let text = serde_json::to_string_pretty(&list).context("printing the list")?;
        println!("{text}");
    } else if quiet {
        for (_, _, found) in rows {
            println!("{}", found.id);
        }
    } else {
        println!("{:<20} {:<12} {:<32} STATUS", "NAME", "ID", "IMAGE");
        for (name, image, found) in rows {
            let id: String = found.id.chars().take(12).collect();
            println!("{name:<20} {id:<12} {image:<32} {}", found.status);
        }
    }
    Ok(ExitCode::SUCCESS)
}
