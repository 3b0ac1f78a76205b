//! The containers of a switch by their names, and the console or engine that runs.

use os_config::Switchable;

use crate::docker::Container;

/// The container in which the programs of a new image are tried.
pub(super) fn trial_name(switchable: Switchable) -> String {
    format!("{}.trial", switchable.service())
}

/// The former container, until the new container answers.
pub(super) fn old_name(switchable: Switchable) -> String {
    format!("{}.old", switchable.service())
}

/// The container that performs the switch.
pub(super) fn worker_name(switchable: Switchable) -> String {
    format!("switch-{}", switchable.display_name())
}

/// The name of the console or engine that runs, by its container's label.
pub(crate) fn running_name(switchable: Switchable, containers: &[Container]) -> Option<&str> {
    let runs = |container: &&Container| container.running && container.name == switchable.service();
    let container = containers.iter().find(runs)?;
    container.labels.get(switchable.label()).map(String::as_str)
}
