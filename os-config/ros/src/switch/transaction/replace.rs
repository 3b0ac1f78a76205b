//! A switch from its facts to its end: its plan is performed, and undone if a step fails.
//!
//! `ros switch-worker` runs this in a container of its own, see [`crate::switch::worker`]: a second process, which
//! loads the configuration for itself.

use std::collections::BTreeMap;

use anyhow::{Error, Result, anyhow, bail, ensure};
use host::{console, problems};
use os_config::Switchable;

use crate::docker::{Client, Container};
use crate::service_engine::effective_config;
use crate::switch::containers::running_name;
use crate::switch::failure;
use crate::switch::transaction::perform::{FailedStep, Performer};
use crate::switch::transaction::plan::{self, Stage, SwitchFacts};

/// Replaces the running console or engine by `name`, whose image is here. The error says whether the former console or
/// engine runs again. With `for_now` the configuration stays as it is.
pub(crate) async fn replace(
    system: &Client,
    switchable: Switchable,
    name: &str,
    for_now: bool,
) -> Result<()> {
    let word = switchable.display_name();
    let loaded =
        effective_config::load_with_choices(&BTreeMap::from([(switchable, name.to_owned())]));
    let service = loaded.config.rancher.services.get(switchable.service());
    let found = service.and_then(|service| service.labels.get(switchable.label()));
    ensure!(
        switchable.means_none(name) || found.is_some_and(|found| found == name),
        "there is no definition of {word} {name} any more; nothing was changed"
    );
    let existing = system.containers(true).await?;
    let is_current = |container: &Container| container.name == switchable.service();
    let facts = SwitchFacts {
        switchable,
        has_container: existing.iter().any(is_current),
        is_same: running_name(switchable, &existing) == Some(name),
        has_service: service.is_some(),
        for_now,
    };
    let performer = Performer {
        system,
        switchable,
        name,
        loaded: &loaded,
    };
    let plan = plan::replace(facts);
    let steps = &plan.to_commit;
    if let Err(failed) = performer.perform_all(Stage::Replace, 0, steps).await {
        return undo(&performer, facts, failed).await;
    }
    let result = performer
        .perform_all(Stage::Replace, steps.len(), &plan.after_commit)
        .await;
    result.map_err(|failed| failed.error)?;
    let text = format!("ros: {word} {name} runs");
    println!("{text}");
    console::print_line(&text);
    Ok(())
}

/// Puts the old container back, and returns the error that says so.
async fn undo(performer: &Performer<'_>, facts: SwitchFacts, failed: FailedStep) -> Result<()> {
    let plan = plan::replace(facts).to_commit;
    let (done, rest) = plan.split_at_checked(failed.done).unwrap_or_default();
    if let Some(step) = rest.first() {
        let steps = plan::undo(facts, done, *step);
        let undone = performer.perform_all(Stage::Undo, 0, &steps).await;
        // Both matter: why the new container failed, and why the old container does not run.
        undone.map_err(|undone| describe(performer, &failed.error).context(undone.error))?;
    }
    let instead = match facts.has_container {
        true => "the one of before runs again",
        false => "there was none before",
    };
    let text = format!("{:#}; {instead}", describe(performer, &failed.error));
    problems::report(&failure::problem(performer.switchable, text.clone()));
    bail!("{text}");
}

fn describe(performer: &Performer<'_>, error: &Error) -> Error {
    let word = performer.switchable.display_name();
    let name = performer.name;
    anyhow!("{word} {name} could not be started: {error:#}")
}
