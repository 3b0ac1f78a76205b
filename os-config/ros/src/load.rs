//! The configuration as the service engine carries it out: without services that have nothing to do, with files
//! mounted where they belong, and with the image's own console and engine while the chosen ones' images are
//! not here.

use std::collections::BTreeMap;
use std::path::Path;

use os_config::Loaded;
use os_config::load::Variant;

use crate::docker::Images;
use crate::{cloud_init, write_files};

/// The service that asks data sources over the network.
pub(crate) const CLOUD_INIT: &str = "cloud-init";
const NTP: &str = "ntp";

/// Loads the configuration; `choices` are consoles and engines instead of those that it names.
pub(crate) fn choosing(choices: &BTreeMap<Variant, String>) -> Loaded {
    let mut loaded = os_config::load::load_choosing(Path::new("/"), choices);
    let config = &mut loaded.config;
    if !cloud_init::needs_container(config) {
        config.rancher.services.remove(CLOUD_INIT);
    }
    if !config.ntp.enabled {
        config.rancher.services.remove(NTP);
    }
    for problem in write_files::mount_into(&mut config.rancher.services, &config.write_files) {
        init::problems::say(&problem);
    }
    loaded
}

/// Loads what can be started now. What is chosen and has no image here yet is returned beside it, by its name.
pub(crate) fn with_images(images: &Images) -> (Loaded, BTreeMap<Variant, String>) {
    let loaded = choosing(&BTreeMap::new());
    let (mut own, mut absent) = (BTreeMap::new(), BTreeMap::new());
    for variant in Variant::ALL {
        let service = loaded.config.rancher.services.get(variant.service());
        if let Some(service) = service.filter(|service| !images.has(&service.image)) {
            let name = variant.chosen(&loaded.config).to_owned();
            init::problems::say(&format!(
                "{} {name}: its image {} is not here; the image's own runs until it has been pulled",
                variant.word(),
                service.image
            ));
            own.insert(variant, variant.own(&loaded.config).to_owned());
            absent.insert(variant, name);
        }
    }
    let loaded = if own.is_empty() {
        loaded
    } else {
        choosing(&own)
    };
    (loaded, absent)
}
