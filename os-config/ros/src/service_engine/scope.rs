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

#[cfg(test)]
mod tests {
    use os_config::compose::order::order;
    use os_config::compose::service::Scope;
    use os_config::load::load;

    use super::services_of;

    #[test]
    fn an_engine_waits_for_nothing_of_another_engine() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("var/lib/rancher/conf");
        std::fs::create_dir_all(&folder).unwrap();
        let text = "rancher:\n  services:\n    \
            barn: {image: x, labels: {io.rancher.os.scope: system, io.rancher.os.after: hen}}\n    \
            hen: {image: x, depends_on: [barn], labels: {io.rancher.os.before: barn}}\n    \
            egg: {image: x, links: [barn]}\n";
        std::fs::write(folder.join("cloud-config.yml"), text).unwrap();
        let loaded = load(root.path());
        let of_system = order(&services_of(&loaded, Scope::System));
        assert_eq!(of_system.waves, [["barn"]]);
        assert!(of_system.errors.is_empty());
        let of_user = order(&services_of(&loaded, Scope::User));
        assert_eq!(of_user.waves, [["hen"]]);
        let errors: Vec<String> = of_user.errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            ["service egg depends on barn, which does not exist; it is not started"]
        );
    }
}
