//! Finds the machine's data source, and saves its answer for the next load of the configuration.
//!
//! While System Docker starts, the service engine itself reads disks and other sources that need no network: a
//! container for a few milliseconds of work would keep the console waiting for seconds. The container `cloud-init`
//! (`ros cloud-init-save`) comes after the network and asks the sources on the network.

mod current_source;
mod host_shares;
pub(crate) mod includes;
mod instance;
mod local_sources;
mod network_sources;
mod save;
mod seed_disks;
mod selection;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use cloud_init_rs::Firmware;
use host::problems::{self, ProblemRecord};
use os_config::Config;

pub(crate) use crate::cloud_init::local_sources::LocalSources;
pub(crate) use crate::cloud_init::save::{scripts, user_data_problems};
use crate::cloud_init::selection::{is_known, requested, select, source_names};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let config = os_config::load::load(Path::new("/")).config;
    if config.rancher.cloud_init.lock {
        return Ok(ExitCode::SUCCESS);
    }
    for message in unknown_sources(&config) {
        const KEY: &str = "rancher.cloud_init.datasources";
        let text = format!("{KEY}: {message}");
        problems::report(&ProblemRecord::error("cloud-init.datasource", KEY, text));
    }
    if save::has_pending() {
        network_sources::fetch_pending(&config)?;
    } else if current_source::read().is_none() {
        network_sources::ask_network(&config)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A message for each configured data source that does not exist.
pub(crate) fn unknown_sources(config: &Config) -> Vec<String> {
    let unknown = config.rancher.datasources.iter();
    unknown
        .filter(|name| !is_known(name))
        .map(|name| {
            format!(
                "{name} is not known; known are {}",
                source_names().join(", ")
            )
        })
        .collect()
}

/// Whether the container has work: a data source on the network, or user-data that includes a document on the network.
pub(crate) fn needs_container(config: &Config) -> bool {
    if config.rancher.cloud_init.lock {
        return false;
    }
    let asked_for = requested(config);
    let has_unknown = asked_for.iter().any(|name| !is_known(name));
    let firmware = Firmware::read(Path::new("/"));
    let to_ask = || {
        let mut selected = select(config, &firmware).into_iter();
        current_source::read().is_none()
            && selected.any(|selected| selected.source.needs_network(&firmware))
    };
    has_unknown || save::has_pending() || to_ask()
}

#[cfg(test)]
mod tests {
    use super::needs_container;
    use os_config::Config;

    #[test]
    fn a_locked_machine_has_no_work_for_the_container() {
        let mut config = Config::default();
        // A name that nobody knows has to be reported.
        config.rancher.datasources = vec!["bogus".into()];
        for lock in [false, true] {
            config.rancher.cloud_init.lock = lock;
            assert_eq!(needs_container(&config), !lock);
        }
    }
}
