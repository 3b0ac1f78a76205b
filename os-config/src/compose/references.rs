//! Names of services that labels of other services and `rancher.restart_services` refer to. A name that no service has is ignored when services
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

/// Reports the names in the labels `after` and `before` and in `restarted`, the list of `rancher.restart_services`, that
/// no service has.
pub(crate) fn check(
    services: &BTreeMap<String, Service>,
    restarted: &[String],
    findings: &mut Findings,
) {
    let known: Vec<&str> = services.keys().map(String::as_str).collect();
    let mut report = |path: String, subject: &str, name: &str| {
        if known.contains(&name) || OF_IMAGES.contains(&name) {
            return;
        }
        let hint = suggestion(name, &known);
        let hint = hint.map_or_else(String::new, |known| format!("; did you mean {known}?"));
        let name = quoted(name);
        findings.warning(
            path,
            format!("{subject}{name}, and there is no such service{hint}"),
        );
    };
    for (service, definition) in services {
        let labels = [
            ("after", definition.after()),
            ("before", definition.before()),
        ];
        for (label, names) in labels {
            for name in names {
                report(
                    format!("rancher.services.{service}.labels"),
                    &format!("io.rancher.os.{label} names "),
                    name,
                );
            }
        }
    }
    for name in restarted {
        report("rancher.restart_services".to_owned(), "it names ", name);
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
            "rancher: {restart_services: [network, netwrk], services: {network: {image: n}, a: {image: x, labels: {io.rancher.os.after: 'network, netwrk',\
             io.rancher.os.before: preload-user-images}}, b: {image: x, labels: {io.rancher.os.before: zz}}}}",
        );
        let mut findings = Findings::default();
        check(
            &config.rancher.services,
            &config.rancher.restart_services,
            &mut findings,
        );
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
                "rancher.restart_services: it names \"netwrk\", and there is no such service; did you mean network?",
            ]
        );
    }
}
