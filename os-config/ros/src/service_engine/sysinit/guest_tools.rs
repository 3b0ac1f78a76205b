//! Enables the service with the guest tools of the machine's hypervisor, where its image is here or can be pulled. A
//! machine without the tools is well, so that a missing image is no problem.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use host::paths::GUEST_TOOLS;
use os_config::load::include::{self, CATALOGUE};
use os_config::{Config, atomic_file, bounded_file};
use tokio::sync::watch::Sender;

use crate::docker::Client;
use crate::docker::registry::{MISSING_IMAGE_HINT, has_no_registry};
use crate::guest_tools::GuestTools;
use crate::service_engine::scope::Services;

use super::retries::{RETRIES, fetch_included, start_new};
use super::waits::wait_for_devices;

/// The attempts in a boot to get definition and image from the network.
const ATTEMPTS: u32 = 5;

/// Enables and starts the guest tools that `config` leaves to the machine.
pub(super) async fn start(system: Client, services: Sender<Services>, config: Config) {
    // The port for QEMU's agent is there once udev has loaded its driver.
    wait_for_devices().await;
    let Some(name) = GuestTools::read(Path::new("/")).service_to_enable(&config) else {
        return;
    };
    let system = system.with_logins(&config);
    let mut retries = RETRIES;
    for attempt in 1..=ATTEMPTS {
        let enabled = match prepare(&system, &config, name).await {
            Ok(Prepared::Ready) => {
                atomic_file::replace(Path::new(GUEST_TOOLS), name.as_bytes(), 0o644)
                    .with_context(|| format!("writing {GUEST_TOOLS}"))
            }
            Ok(Prepared::Missing(why)) => {
                println!("ros sysinit: guest tools {name}: {why}");
                return;
            }
            Err(error) => Err(error),
        };
        match enabled {
            Ok(()) => return start_new(&system, &services, &config).await,
            Err(error) => eprintln!(
                "ros sysinit: guest tools {name}: {error:#} (attempt {attempt} of {ATTEMPTS})"
            ),
        }
        tokio::time::sleep(retries.next_pause()).await;
    }
}

enum Prepared {
    /// Definition and image are here.
    Ready,
    /// They are not, and nothing on the network has them. The text says what is missing.
    Missing(String),
}

/// Brings the definition and the image of a service to the machine. An error means that it is worth trying again.
async fn prepare(system: &Client, config: &Config, name: &str) -> Result<Prepared> {
    let root = Path::new("/");
    let find = || root.join(include::find_definition(root, CATALOGUE, name));
    if !find().is_file() {
        if config.rancher.repositories.is_empty() {
            let why = "the catalogue has no such service, and rancher.repositories names no other";
            return Ok(Prepared::Missing(why.to_owned()));
        }
        fetch_included(config.clone(), name.to_owned()).await?;
    }
    let file = find();
    let reading = || format!("reading {}", file.display());
    let bytes = bounded_file::bytes(&file).with_context(reading)?;
    let definition = include::parse(&bytes, None)
        .map_err(|unusable| anyhow!("{unusable}"))
        .with_context(reading)?;
    let images = definition.services_with(&config.rancher.environment);
    for image in images.values().map(|service| &service.image) {
        if system.image_id(image).await?.is_some() {
            continue;
        }
        if has_no_registry(image, true) {
            let why = format!("its image {image} is not here ({MISSING_IMAGE_HINT})");
            return Ok(Prepared::Missing(why));
        }
        system.pull(image).await?;
    }
    Ok(Prepared::Ready)
}
