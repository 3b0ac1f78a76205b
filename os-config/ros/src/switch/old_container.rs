//! The former container during a switch: stopped and renamed, then removed, retired or put back.

use anyhow::Result;
use os_config::Switchable;

use crate::docker::retire::retire;
use crate::docker::{Client, USER};
use crate::service_engine::marks;
use crate::switch::containers::old_name;
use crate::switch::health::HEALTH_TIMEOUT;
use crate::user_docker::user_containers::{self, RestartSelection};

/// Stops the running container and renames it. Returns whether there was a container.
pub(super) async fn rename_to_old(system: &Client, switchable: Switchable) -> Result<bool> {
    let (name, old) = (switchable.service(), old_name(switchable));
    if system.container(name).await?.is_none() {
        return Ok(false);
    }
    println!("stopping the {} that runs", switchable.display_name());
    if switchable == Switchable::Engine {
        // The engine's own shutdown leaves each user container a few seconds only.
        user_containers::stop(RestartSelection::All).await;
    }
    system.remove(&old).await?;
    system.stop(name, None).await?;
    if let Err(error) = system.rename(name, &old).await {
        system.start(name).await?;
        return Err(error);
    }
    Ok(true)
}

/// Removes the old container. After a switch that leaves the configuration as it is, a console is retired instead: it
/// may hold what its user installed.
pub(super) async fn remove_or_retire_old(
    system: &Client,
    switchable: Switchable,
    for_now: bool,
) -> Result<()> {
    let old = old_name(switchable);
    if !(for_now && switchable == Switchable::Console) {
        return system.remove(&old).await;
    }
    retire(system, &old, switchable.service()).await
}

/// Puts the old container back and starts it.
pub(super) async fn restore_old(system: &Client, switchable: Switchable) -> Result<()> {
    let name = switchable.service();
    system.rename(&old_name(switchable), name).await?;
    marks::clear_marks(name);
    system.start(name).await
}

/// Starts the user's containers again in the engine that runs now; a console has none.
pub(super) async fn start_user_containers(switchable: Switchable) {
    if switchable == Switchable::Engine
        && let Ok(engine) = Client::wait_for(USER, HEALTH_TIMEOUT).await
    {
        user_containers::start_again(&engine).await;
    }
}
