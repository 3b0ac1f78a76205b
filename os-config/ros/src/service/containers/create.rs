//! `ros service up` and `create`: containers are made again where their definition has changed.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use os_config::Switchable;

use crate::service::arguments::RecreateOptions;
use crate::service::containers::target::Target;
use crate::service_engine::marks;

/// Makes a service's container if necessary, and starts it.
pub(super) async fn up(
    target: &Target,
    environment: &BTreeMap<String, String>,
    options: RecreateOptions,
) -> Result<()> {
    let (engine, container) = (&target.engine, target.container());
    let service_container = target.service_container(environment);
    marks::clear_marks(&target.name);
    let exists = engine.container(container).await?.is_some();
    if options.no_recreate && exists {
        return engine.start(container).await;
    }
    if exists
        && let Some(switchable) = as_switchable(target)
        && (options.force_recreate || service_container.would_recreate().await?)
    {
        return refuse_recreation(switchable);
    }
    service_container
        .ensure_running(options.force_recreate)
        .await
        .map(drop)
}

/// Makes a service's container without starting it.
pub(super) async fn create(
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

/// The console or the engine; `None` for any other service.
fn as_switchable(target: &Target) -> Option<Switchable> {
    Switchable::ALL
        .into_iter()
        .find(|switchable| switchable.service() == target.name)
}

/// Neither console nor engine is made again by this command: removing the console ends the command itself, and the
/// user's containers run in the engine.
fn refuse_recreation(switchable: Switchable) -> Result<()> {
    bail!(
        "it would be made anew, and nobody would be there to start it\nhint: `ros {} switch`, or reboot",
        switchable.display_name()
    )
}
