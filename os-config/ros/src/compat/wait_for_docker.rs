//! `wait-for-docker`: waits until User Docker answers.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::docker::progress;
use crate::docker::{self, Client};

/// As long as RancherOS waited.
const DOCKER_TIMEOUT: Duration = Duration::from_secs(300);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Waits until User Docker answers.
pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let runtime = docker::runtime()?;
    runtime
        .block_on(progress::with_progress(
            "waiting for User Docker",
            Client::wait_for(docker::USER, DOCKER_TIMEOUT),
        ))
        .context("User Docker does not answer (see /var/log/docker.log)")?;
    Ok(ExitCode::SUCCESS)
}
