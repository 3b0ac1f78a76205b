//! The extra engines in `ros engine list`.

use os_config::Config;
use os_config::keys::extra_engines::LABEL_NAME;

use crate::docker::Container;

/// The extra engines, each with `enabled` if it runs and `disabled` if not.
pub(crate) fn states(containers: &[Container], config: &Config) -> Vec<(&'static str, String)> {
    let runs = |name: &str| {
        containers.iter().any(|container| {
            container.running
                && container
                    .labels
                    .get(LABEL_NAME)
                    .is_some_and(|found| found == name)
        })
    };
    let names = config.rancher.engines.keys();
    names
        .map(|name| {
            (
                if runs(name) { "enabled" } else { "disabled" },
                name.clone(),
            )
        })
        .collect()
}
