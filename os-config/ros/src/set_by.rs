//! Containers that are of no use any more, kept for what was in them.

use anyhow::Result;

use crate::docker::{self, Engine};

/// Gives the container another name, and says which; one that has never run has nothing in it and is removed.
pub(crate) async fn set_by(engine: &Engine, container: &str, service: &str) -> Result<()> {
    let existing = engine.containers(true).await?;
    let Some(found) = existing.iter().find(|found| found.name == container) else {
        return Ok(());
    };
    if found.state == "created" {
        return engine.remove(container).await;
    }
    let is_free = |name: &String| existing.iter().all(|found| found.name != *name);
    let kept = names(service).find(is_free).unwrap_or_default();
    engine.rename(container, &kept).await?;
    let client = if engine.socket() == docker::SYSTEM {
        "system-docker"
    } else {
        "docker"
    };
    let text = format!(
        "{service}: what was in it is kept in the container {kept} (`{client} cp` gets it out, `{client} rm` removes it)"
    );
    // Whoever asked for the service may sit at none of the machine's consoles.
    eprintln!("{text}");
    init::problems::say(&text);
    Ok(())
}

/// What such containers of a service are called, one after the other.
fn names(service: &str) -> impl Iterator<Item = String> {
    let first = std::iter::once(format!("{service}.failed"));
    first.chain((2..).map(move |number| format!("{service}.failed-{number}")))
}
