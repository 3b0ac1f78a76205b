//! The container of one service: created, started, replaced as [`reconcile`] decides.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use bollard::models::ContainerCreateBody;
use os_config::compose::service::Service;
use os_config::keys::extra_engines::LABEL_NAME;

use crate::docker::Client;
use crate::docker::Container;
use crate::docker::build;
use crate::docker::container_lock::ContainerLock;
use crate::docker::network::prepare_network;
use crate::docker::retire::retire;
use crate::service_engine::container_body;
use crate::service_engine::marks::{self, Marks};
use crate::service_engine::reconcile::{self, Action};

/// A service, and the engine that its container is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceContainer<'a> {
    pub(crate) engine: &'a Client,
    pub(crate) name: &'a str,
    pub(crate) service: &'a Service,
    /// `rancher.environment`.
    pub(crate) environment: &'a BTreeMap<String, String>,
}

impl ServiceContainer<'_> {
    /// Brings the service up. Returns whether its container was created or started. `recreate` replaces an up-to-date
    /// container too.
    pub(crate) async fn ensure_running(&self, recreate: bool) -> Result<bool> {
        let known = ContainerLock::changes_of(self.engine, self.container());
        let mut existing = self.existing().await?;
        // A container that is kept needs no image: the image may be gone.
        let is_kept = |found| !recreate && reconcile::is_kept(self.service, found);
        let is_kept = existing.as_ref().is_some_and(is_kept);
        let image_id = match is_kept {
            true => String::new(),
            false => self.ensure_image().await?,
        };
        let hash = self.hash(&image_id);
        // The pull of an image can take minutes, so the lock begins after it. Another process may have made the container.
        let mut lock = ContainerLock::wait(self.engine, self.container()).await?;
        if lock.changes()? != known {
            existing = self.existing().await?;
        }
        let action = match &existing {
            Some(_) if recreate => Action::Recreate {
                start: !self.service.createonly(),
            },
            existing => {
                let marks = Marks::read(self.name);
                reconcile::action(self.service, &hash, existing.as_ref(), marks)
            }
        };
        if action != Action::Nothing
            && self.service.labels.contains_key(LABEL_NAME)
            && let Some(network) = &self.service.net
        {
            prepare_network(self.engine, network).await?;
        }
        if action != Action::Nothing {
            lock.note_change()?;
        }
        self.perform(action, &hash, is_kept).await?;
        drop(lock);
        if !self.service.detach() && action != Action::Nothing && !self.service.createonly() {
            self.wait_for_end().await?;
        }
        Ok(action != Action::Nothing)
    }

    /// Whether [`Self::ensure_running`] would replace the container.
    pub(crate) async fn would_recreate(&self) -> Result<bool> {
        let existing = self.existing().await?;
        let existing = existing.as_ref();
        // Without its image, the container cannot be replaced yet.
        let Some(image_id) = self.engine.image_id(&self.service.image).await? else {
            return Ok(!existing.is_some_and(|found| reconcile::is_kept(self.service, found)));
        };
        let hash = self.hash(&image_id);
        let action = reconcile::action(self.service, &hash, existing, Marks::default());
        Ok(matches!(action, Action::Recreate { .. }))
    }

    /// Creates the container if it is missing, without starting it. `recreate` replaces an existing container.
    pub(crate) async fn ensure_created(&self, recreate: bool) -> Result<()> {
        let exists = self.existing().await?.is_some();
        if exists && !recreate {
            return Ok(());
        }
        let image_id = self.ensure_image().await?;
        let body = self.body(&self.hash(&image_id));
        let mut lock = ContainerLock::wait(self.engine, self.container()).await?;
        let exists = self.existing().await?.is_some();
        if exists && !recreate {
            return Ok(());
        }
        lock.note_change()?;
        match exists {
            true => self.replace(body).await,
            false => self.engine.create(self.container(), body).await,
        }
    }

    async fn perform(&self, action: Action, hash: &str, is_kept: bool) -> Result<()> {
        let container = self.container();
        match action {
            Action::Nothing => {}
            Action::Start => {
                if let Err(error) = self.engine.start(container).await {
                    // A new container does not have the faults of a container from an earlier boot.
                    eprintln!("ros sysinit: {error:#}; making it anew");
                    if is_kept {
                        // The image must be here before the old container is retired, or the service would have no
                        // container.
                        self.ensure_image().await?;
                        retire(self.engine, container, self.name).await?;
                    } else {
                        self.engine.remove(container).await?;
                    }
                    self.engine.create(container, self.body(hash)).await?;
                    self.engine.start(container).await?;
                }
            }
            Action::Create { start } | Action::Recreate { start } => {
                match action {
                    Action::Recreate { .. } => self.replace(self.body(hash)).await?,
                    _ => self.engine.create(container, self.body(hash)).await?,
                }
                if start {
                    self.engine.start(container).await?;
                }
            }
        }
        Ok(())
    }

    /// Waits for a service that runs to its end, and marks it.
    async fn wait_for_end(&self) -> Result<()> {
        let code = self.engine.wait_for_end(self.container()).await?;
        marks::set_done(self.name);
        anyhow::ensure!(
            code == 0,
            "it ended with exit code {code} (`ros service logs {name}` says why)",
            name = self.name
        );
        Ok(())
    }

    /// Replaces the container. The old container gets its grace period, and the new container gets its anonymous
    /// volumes, as in compose.
    async fn replace(&self, body: ContainerCreateBody) -> Result<()> {
        let container = self.container();
        self.engine.stop(container, None).await?;
        let volumes = self.engine.anonymous_volumes(container).await?;
        self.engine.remove(container).await?;
        self.engine
            .create(container, container_body::with_volumes(body, volumes))
            .await
    }

    /// The id of the service's image, which is built or pulled if it is missing.
    async fn ensure_image(&self) -> Result<String> {
        let image = &self.service.image;
        if let Some(id) = self.engine.image_id(image).await? {
            return Ok(id);
        }
        let got = match &self.service.build {
            Some(build) => build::image(self.engine, image, build, build::Options::default()).await,
            None => self.engine.pull(image).await,
        };
        got.with_context(|| format!("image {image} is not there"))?;
        self.engine
            .image_id(image)
            .await?
            .with_context(|| format!("image {image} is still not there"))
    }

    fn container(&self) -> &str {
        self.service.container(self.name)
    }

    async fn existing(&self) -> Result<Option<Container>> {
        self.engine.container(self.container()).await
    }

    fn hash(&self, image_id: &str) -> String {
        container_body::hash(self.name, self.service, image_id, self.environment)
    }

    fn body(&self, hash: &str) -> ContainerCreateBody {
        container_body::body(self.name, self.service, hash, self.environment)
    }
}
