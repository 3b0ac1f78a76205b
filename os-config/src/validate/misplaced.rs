//! Says of an unknown key where it belongs, if the configuration has a key of its name in another place.

use std::cmp::Reverse;
use std::sync::OnceLock;

use serde_yaml::Value;

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::reader::findings::{Findings, UnknownKey};
use crate::schema::sections::{Section, sections};
use crate::yaml::path::key_path;

/// The problems of a document's values. Unknown keys that belong elsewhere are told where.
pub(crate) fn problems(value: &Value) -> Vec<Diagnostic> {
    problems_with(value, Findings::default())
}

/// The problems of the kernel line's values.
pub(crate) fn problems_of_kernel_line(value: &Value) -> Vec<Diagnostic> {
    let findings = Findings {
        is_kernel_line: true,
        ..Findings::default()
    };
    problems_with(value, findings)
}

fn problems_with(value: &Value, mut findings: Findings) -> Vec<Diagnostic> {
    Config::read_with_findings(value, &mut findings);
    for unknown in &findings.unknown {
        let Some(place) = place(unknown, known_sections()) else {
            continue;
        };
        if let Some(diagnostic) = findings.list.get_mut(unknown.number) {
            diagnostic.message = match place {
                "" => {
                    "it has no effect here; it belongs at the top, outside of `rancher:`".to_owned()
                }
                place => format!("it has no effect here; it belongs below `{place}:`"),
            };
        }
    }
    findings.list
}

fn known_sections() -> &'static [Section] {
    static SECTIONS: OnceLock<Vec<Section>> = OnceLock::new();
    SECTIONS.get_or_init(sections)
}

/// The path of the section that an unknown key belongs to.
fn place<'a>(unknown: &UnknownKey, sections: &'a [Section]) -> Option<&'a str> {
    let fits = |section: &&Section| {
        let below = key_path(&section.path, &unknown.key);
        let below = sections.iter().find(|section| section.path == below);
        let is_like = |section: &Section| {
            let mut keys = unknown.keys_below.iter();
            keys.any(|key| section.keys.contains_key(key.as_str()))
        };
        section.keys.contains_key(unknown.key.as_str())
            && section.path != unknown.section
            // Settings of the image, and the keys of `rancher.docker` once more.
            && !matches!(section.path.as_str(), "rancher.defaults" | "rancher.system_docker")
            // An entry of a list and `growpart` have nothing in common.
            && (section.path.is_empty()
                || section.path.starts_with("rancher")
                || unknown.section.is_empty())
            // A key of cloud-init may have the name of another key.
            && below.map_or(!unknown.is_cloud_inits, is_like)
    };
    let distance = |section: &&Section| {
        let path = section.path.as_str();
        (
            has_chosen_name(path),
            Reverse(shared_parts(path, &unknown.section)),
            path.split('.').filter(|part| !part.is_empty()).count(),
        )
    };
    let best = sections.iter().filter(fits).min_by_key(distance)?;
    let mut nearest = sections.iter().filter(fits);
    let is_certain =
        nearest.all(|other| other.path == best.path || distance(&other) > distance(&best));
    // A typing error in its own section is likelier than a key of somebody's service.
    let is_likely = !has_chosen_name(&best.path)
        || !unknown.has_suggestion && shared_parts(&best.path, &unknown.section) > 1;
    (is_certain && is_likely).then_some(best.path.as_str())
}

/// Whether a name that the user chooses, or the number of an item, is a part of the path.
fn has_chosen_name(path: &str) -> bool {
    path.ends_with("[]") || path.split('.').any(|part| part == "NAME")
}

/// The number of parts that both paths begin with.
fn shared_parts(one: &str, other: &str) -> usize {
    let pairs = one.split('.').zip(other.split('.'));
    pairs.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::problems;

    #[test]
    fn keys_in_a_wrong_place() {
        for (text, expected) in [
            (
                "network: {interfaces: {eth0: {dhcp: true}}}",
                "network: below `rancher:`",
            ),
            ("network: {dns: {search: [a]}}", "network: below `rancher:`"),
            (
                "system_docker: {debug: true}",
                "system_docker: below `rancher:`",
            ),
            ("docker: {tls: true}", "docker: below `rancher:`"),
            ("ssh: {port: 22}", "ssh: below `rancher:`"),
            ("services: {a: {image: x}}", "services: below `rancher:`"),
            (
                "services_include: {crontab: true}",
                "services_include: below `rancher:`",
            ),
            ("sysctl: {vm.swappiness: 1}", "sysctl: below `rancher:`"),
            (
                "registry_auths: {a: {auth: x}}",
                "registry_auths: below `rancher:`",
            ),
            (
                "rancher: {dns: {search: [a]}}",
                "rancher.dns: below `rancher.network:`",
            ),
            (
                "rancher: {interfaces: {eth0: {dhcp: true}}}",
                "rancher.interfaces: below `rancher.network:`",
            ),
            (
                "rancher: {network: {registry_auths: {}}}",
                "rancher.network.registry_auths: below `rancher:`",
            ),
            (
                "rancher: {network: {interfaces: {dns: {nameservers: [1.1.1.1]}}}}",
                "rancher.network.interfaces.dns.nameservers: below `rancher.network.dns:`",
            ),
            (
                "rancher: {network: {interfaces: {eth0: {dns: {nameservers: [1.1.1.1]}}}}}",
                "rancher.network.interfaces.eth0.dns: below `rancher.network:`",
            ),
            (
                "rancher: {network: {nameservers: [1.1.1.1]}}",
                "rancher.network.nameservers: below `rancher.network.dns:`",
            ),
            (
                "rancher: {datasources: [ec2]}",
                "rancher.datasources: below `rancher.cloud_init:`",
            ),
            (
                "rancher: {insecure_registry: [a]}",
                "rancher.insecure_registry: below `rancher.docker:`",
            ),
            ("rancher: {runcmd: [a]}", "rancher.runcmd: at the top"),
            ("rancher: {hostname: a}", "rancher.hostname: at the top"),
            (
                "rancher: {ssh: {ssh_authorized_keys: [a]}}",
                "rancher.ssh.ssh_authorized_keys: at the top",
            ),
            (
                "rancher: {docker: {write_files: []}}",
                "rancher.docker.write_files: at the top",
            ),
        ] {
            let found: Vec<String> = problems(&serde_yaml::from_str(text).unwrap())
                .iter()
                .map(|it| format!("{}: {}", it.key_path, it.message))
                .collect();
            let found = found.join("\n");
            let (path, place) = expected.split_once(": ").unwrap();
            let expected = format!("{path}: it has no effect here; it belongs {place}");
            assert!(found.starts_with(&expected), "{text}: {found}");
        }
    }

    #[test]
    fn typing_errors_and_keys_of_cloud_init_are_no_misplaced_keys() {
        for text in [
            "network: {version: 2, ethernets: {}}",
            "network: {config: disabled}",
            "ssh: {emit_keys_to_console: false}",
            "rancher: {docker: {log_opt: {a: b}}}",
            "rancher: {services: {a: {image: x, comand: y}}}",
            "hostnam: x",
            "nothing_like_it: x",
            "rancher: {image: x}",
            "write_files: [{path: /a, mode: '0644'}]",
        ] {
            let found = problems(&serde_yaml::from_str(text).unwrap());
            let message = &found[0].message;
            assert!(!message.contains("belongs"), "{text}: {message}");
        }
    }
}
