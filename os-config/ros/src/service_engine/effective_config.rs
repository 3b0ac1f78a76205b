//! The effective configuration of the service engine: services without work are left out, files are mounted into their
//! containers, and the image's own console and engine stand in while the chosen images are not here.

use std::collections::BTreeMap;
use std::path::Path;

use host::problems;
use os_config::LoadedConfig;
use os_config::Switchable;
use os_config::load::include::is_address;

use crate::cloud_init;
use crate::console::write_files;
use crate::docker::Container;
use crate::docker::images::Images;
use crate::docker::registry;
use crate::service_engine::reconcile;
use crate::switch::failure;

/// The service that asks data sources over the network.
pub(crate) const CLOUD_INIT: &str = "cloud-init";
const NTP: &str = "ntp";

/// Loads the configuration; `choices` replace the console and the engine that it names.
pub(crate) fn load_with_choices(choices: &BTreeMap<Switchable, String>) -> LoadedConfig {
    let mut loaded = os_config::load::load_with_choices(Path::new("/"), choices);
    let config = &mut loaded.config;
    if !cloud_init::needs_container(config) {
        config.rancher.services.remove(CLOUD_INIT);
    }
    if !config.ntp.enabled {
        config.rancher.services.remove(NTP);
    }
    for problem in write_files::mount_into(&mut config.rancher.services, &config.write_files) {
        problems::report(&problem);
    }
    loaded
}

/// Loads the configuration that can be started now: the image's own console or engine stands in while the image of the
/// chosen console or engine is not here yet, or after it did not answer. Returns the configuration, and the chosen
/// names that are still to be pulled.
pub(crate) fn load_startable(
    images: &Images,
    existing: &[Container],
) -> (LoadedConfig, BTreeMap<Switchable, String>) {
    let loaded = load_with_choices(&BTreeMap::new());
    let config = &loaded.config;
    let (mut own, mut absent) = (BTreeMap::new(), BTreeMap::new());
    for switchable in Switchable::ALL {
        let (name, word) = (switchable.chosen_name(config), switchable.display_name());
        if name == switchable.default_name(config) || switchable.means_none(name) {
            continue;
        }
        let service = config.rancher.services.get(switchable.service());
        let service = service.filter(|service| {
            let found = service.labels.get(switchable.label());
            found.is_some_and(|found| found == name)
        });
        let why = match service {
            _ if failure::has_failed(switchable, name) => {
                format!("it did not answer; `ros {word} switch` tries again")
            }
            Some(service) if images.has(&service.image) => continue,
            // The container is kept even if its image has another name now.
            Some(service)
                if existing.iter().any(|found| {
                    found.name == service.container(switchable.service())
                        && reconcile::is_kept(service, found)
                }) =>
            {
                continue;
            }
            Some(service) if registry::has_no_registry(&service.image, true) => {
                format!(
                    "its image {} is not here ({})",
                    service.image,
                    registry::MISSING_IMAGE_HINT
                )
            }
            Some(service) => {
                absent.insert(switchable, name.to_owned());
                format!("its image {} is not here yet", service.image)
            }
            // The definition may be on the network.
            None if is_address(name) || !config.rancher.repositories.is_empty() => {
                absent.insert(switchable, name.to_owned());
                continue;
            }
            None => continue,
        };
        let text = format!("{word} {name}: {why}; the image's own runs");
        problems::report(&failure::problem(switchable, text));
        own.insert(switchable, switchable.default_name(config).to_owned());
    }
    let loaded = if own.is_empty() {
        loaded
    } else {
        // Other names have other definitions.
        load_with_choices(&own)
    };
    (loaded, absent)
}
