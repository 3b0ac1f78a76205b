//! Containers that are of no use any more, kept for what was in them: called `SERVICE.failed`, and nobody's service.

use anyhow::Result;

use crate::docker::{Client, SYSTEM};

const ENDING: &str = ".failed";

/// Gives the container another name, and says which; one that has never run has nothing in it and is removed.
pub(crate) async fn retire(engine: &Client, container: &str, service: &str) -> Result<()> {
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
    // Or the engine itself would start it again beside the new one.
    engine.forget_restarts(&kept).await?;
    let client = if engine.socket() == SYSTEM {
        "system-docker"
    } else {
        "docker"
    };
    let text = format!(
        "{service}: what was in it is kept in the container {kept} (`{client} cp` gets it out, `{client} rm` removes it)"
    );
    // Whoever asked for the service may sit at none of the machine's consoles.
    eprintln!("{text}");
    host::problems::report(&text);
    Ok(())
}

/// What such containers of a service are called, one after the other.
fn names(service: &str) -> impl Iterator<Item = String> {
    let first = std::iter::once(format!("{service}{ENDING}"));
    first.chain((2..).map(move |number| format!("{service}{ENDING}-{number}")))
}

/// Whether a container of this name is one of those. Its labels still say what it was.
pub(crate) fn is_retired(name: &str) -> bool {
    let Some((_, after)) = name.rsplit_once(ENDING) else {
        return false;
    };
    let is_number = |number: &str| number.parse::<u32>().is_ok();
    after.is_empty() || after.strip_prefix('-').is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::{is_retired, names};

    #[test]
    fn what_is_called_so() {
        for name in names("web").take(3) {
            assert!(is_retired(&name), "{name}");
        }
        for name in [
            "web",
            "failed",
            "web.failed-",
            "web.failed-x",
            "web.failed.log",
        ] {
            assert!(!is_retired(name), "{name}");
        }
    }
}
