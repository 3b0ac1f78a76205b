//! Names of services that the labels of other services refer to. A name that no service has is ignored when services
//! are started; the user is told.

use std::collections::BTreeMap;

use crate::compose::service::Service;
use crate::diagnostic::quoted;
use crate::reader::findings::Findings;
use crate::reader::suggest::suggestion;

/// The image's own services, which a damaged image or `console: none` may lack, and services of RancherOS that this
/// system does without: documents order their services by them.
const OF_IMAGES: [&str; 23] = [
    "acpid",
    "all-volumes",
    "cloud-init",
    "cloud-init-execute",
    "cloud-init-pre",
    "command-volumes",
    "console",
    "container-data-volumes",
    "docker",
    "logrotate",
    "media-volumes",
    "network",
    "ntp",
    "preload-system-images",
    "preload-user-images",
    "subscriber",
    "syslog",
    "system-cron",
    "system-volumes",
    "udev",
    "udev-cold",
    "user-volumes",
    "wait-for-network",
];

/// Reports the names in the labels `after` and `before` that no service has.
pub(crate) fn check(services: &BTreeMap<String, Service>, findings: &mut Findings) {
    let known: Vec<&str> = services.keys().map(String::as_str).collect();
    for (service, definition) in services {
        let labels = [
            ("after", definition.after()),
            ("before", definition.before()),
        ];
        for (label, names) in labels {
            let unknown = names
                .into_iter()
                .filter(|name| !known.contains(name) && !OF_IMAGES.contains(name));
            for name in unknown {
                let hint = suggestion(name, &known);
                let hint =
                    hint.map_or_else(String::new, |known| format!("; did you mean {known}?"));
                let message = format!(
                    "io.rancher.os.{label} names {}, and there is no such service{hint}",
                    quoted(name)
                );
                findings.warning(format!("rancher.services.{service}.labels"), message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::config::read;
    use crate::reader::findings::Findings;

    #[test]
    fn names_of_services() {
        let (config, _) = read(
            "rancher: {services: {network: {image: n}, a: {image: x, labels: {io.rancher.os.after: 'network, netwrk',\
             io.rancher.os.before: preload-user-images}}, b: {image: x, labels: {io.rancher.os.before: zz}}}}",
        );
        let mut findings = Findings::default();
        check(&config.rancher.services, &mut findings);
        let found: Vec<String> = findings
            .list
            .iter()
            .map(|it| format!("{}: {}", it.key_path, it.message))
            .collect();
        assert_eq!(
            found,
            [
                "rancher.services.a.labels: io.rancher.os.after names \"netwrk\", and there is no such service; did you mean network?",
                "rancher.services.b.labels: io.rancher.os.before names \"zz\", and there is no such service",
            ]
        );
    }
}
