//! Retiring a container: the service does not need it any more, and its data stays. The container is renamed to
//! `SERVICE.failed`.

use anyhow::Result;
use host::problems::{self, ProblemRecord};

use crate::docker::client::{Client, SYSTEM};
use crate::docker::container::retired_names;

/// Renames the container and prints its new name. A container that has never run holds no data and is removed.
pub(crate) async fn retire(engine: &Client, container: &str, service: &str) -> Result<()> {
    let existing = engine.containers(true).await?;
    let Some(found) = existing.iter().find(|found| found.name == container) else {
        return Ok(());
    };
    if found.state == "created" {
        return engine.remove(container).await;
    }
    let is_free = |name: &String| existing.iter().all(|found| found.name != *name);
    let kept = retired_names(service).find(is_free).unwrap_or_default();
    engine.rename(container, &kept).await?;
    // Otherwise the engine starts the retired container again beside the new container.
    engine.disable_restart(&kept).await?;
    let client = if engine.socket() == SYSTEM {
        "system-docker"
    } else {
        "docker"
    };
    let text = format!(
        "{service}: what was in it is kept in the container {kept} (`{client} cp` gets it out, `{client} rm` removes it)"
    );
    // The command prints the name, because its user may see no console of the machine.
    eprintln!("{text}");
    problems::report(&ProblemRecord::error("retired-container", service, text));
    Ok(())
}
