//! The services of a scope: `system` runs in System Docker, `user` in User Docker.

use std::collections::BTreeMap;

use os_config::LoadedConfig;
use os_config::compose::service::{Scope, Service};

/// The services of a scope by their names.
pub(crate) type Services = BTreeMap<String, Service>;

/// The services of one scope.
pub(crate) fn services_of(loaded: &LoadedConfig, scope: Scope) -> Services {
    let all = &loaded.config.rancher.services;
    all.iter()
        .filter(|(_, service)| service.scope() == scope)
        .map(|(name, service)| {
            let mut service = service.clone();
            // A service of the other scope is no dependency here.
            service
                .depends_on
                .retain(|needed| all.get(needed).is_none_or(|other| other.scope() == scope));
            (name.clone(), service)
        })
        .collect()
}
