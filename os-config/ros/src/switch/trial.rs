//! The trial of a candidate: its image is pulled, and its programs are started once in a container beside the console
//! or engine that runs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use os_config::Switchable;
use os_config::compose::service::Service;

use crate::docker::Client;
use crate::docker::container_lock::ContainerLock;
use crate::docker::{progress, registry};
use crate::service_engine::container_body;
use crate::subprocess;
use crate::switch::candidate::Candidate;
use crate::switch::containers::trial_name;

/// The limit for programs that only print their version.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(60);

/// Pulls the image of a candidate, if `pull`, and tries it.
pub(crate) async fn prepare(candidate: &Candidate, system: &Client, pull: bool) -> Result<()> {
    let Some(service) = &candidate.service else {
        return Ok(());
    };
    let image = &service.image;
    if pull
        && !candidate.is_own
        && let Err(error) = system.pull(image).await
    {
        // An image that was loaded from an archive is in no registry.
        if system.image_id(image).await?.is_none() {
            return Err(error);
        }
        eprintln!("ros: {error:#}\nros: the image that is here is used");
    }
    ensure!(
        system.image_id(image).await?.is_some(),
        "image {image} is not here\nhint: {}",
        match registry::has_no_registry(image, true) {
            true => registry::MISSING_IMAGE_HINT,
            false => "leave out --no-pull",
        }
    );
    start_programs(candidate, system, service)
        .await
        .with_context(|| {
            let word = candidate.switchable.display_name();
            format!("{word} {} cannot be used", candidate.name)
        })
}

/// Starts the candidate's programs in a container of their own, only to see that they start.
async fn start_programs(candidate: &Candidate, system: &Client, service: &Service) -> Result<()> {
    // A command of the user's own may do anything when it is started twice.
    let is_ours = service
        .command
        .iter()
        .map(String::as_str)
        .eq(own_command(candidate.switchable));
    if !is_ours || !service.entrypoint.is_empty() {
        return Ok(());
    }
    let mut trial = service.clone();
    trial.command.push("--trial".to_owned());
    trial.restart = None;
    let name = trial_name(candidate.switchable);
    // Another command's trial must end before its container is replaced.
    let _lock = ContainerLock::wait(system, &name).await?;
    system.remove(&name).await?;
    let environment = &candidate.config().rancher.environment;
    let mut body = container_body::body(&name, &trial, "", environment);
    // The trial belongs to no service.
    body.labels = None;
    system.create(&name, body).await?;
    let result = async {
        system.start(&name).await?;
        let end = tokio::time::timeout(TRIAL_TIMEOUT, system.wait_for_end(&name));
        let end = progress::with_progress(&format!("trying {}", service.image), end).await;
        let code = end.context("its trial does not end")??;
        let output = system.output(&name).await?;
        let why = subprocess::last_line(output.trim_end());
        ensure!(code == 0, "{}", why.trim_start_matches("ros: "));
        Ok(())
    }
    .await;
    let removed = system.remove(&name).await;
    result.and(removed)
}

/// The command of consoles and engines, unless a definition names another.
fn own_command(switchable: Switchable) -> [&'static str; 2] {
    match switchable {
        Switchable::Console => ["/usr/bin/ros", "console-init"],
        Switchable::Engine => ["/usr/bin/ros", "user-docker"],
    }
}
