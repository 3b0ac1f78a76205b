//! The services that an action is about, each with the engine of its scope.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use os_config::Config;
use os_config::compose::order::order;
use os_config::compose::service::{REPLICA_OF, Scope, Service};
use os_config::load::legacy_names;

use crate::console::write_files;
use crate::docker::{self, Client};
use crate::service::arguments::RecreateOptions;
use crate::service_engine::service_container::ServiceContainer;

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

    pub(super) fn service_container<'a>(
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
pub(super) struct Engines {
    pub(super) config: Config,
    system: Option<Client>,
    user: Option<Client>,
}

impl Engines {
    pub(super) async fn connect(mut config: Config) -> Self {
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

    pub(super) fn engine(&self, scope: Scope) -> Result<Client> {
        let (engine, name) = match scope {
            Scope::System => (&self.system, "System Docker"),
            Scope::User => (&self.user, "User Docker"),
        };
        engine
            .clone()
            .with_context(|| format!("{name} does not answer"))
    }

    /// The named services, in the order of their dependencies. A name without a service is an error.
    pub(super) fn targets(&self, names: &[String]) -> Result<Vec<Target>> {
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
        // The name of a service stands for all of its containers.
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
        // Services in a circle have no place in the order, but a user can name them.
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

    /// The named services whose containers are to be created. With `no_build`, a service whose image is not built yet
    /// is an error.
    pub(super) async fn targets_to_create(
        &self,
        names: &[String],
        options: RecreateOptions,
    ) -> Result<Vec<Target>> {
        let targets = self.targets(names)?;
        if options.no_build {
            for_each(&targets, ensure_built).await?;
        }
        Ok(targets)
    }
}

/// Does something to each service. The first failure ends the loop and names the service.
pub(super) async fn for_each(
    targets: &[Target],
    act: impl AsyncFn(&Target) -> Result<()>,
) -> Result<()> {
    for target in targets {
        act(target)
            .await
            .with_context(|| format!("service {}", target.name))?;
    }
    Ok(())
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
