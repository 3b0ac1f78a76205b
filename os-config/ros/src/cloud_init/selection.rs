//! The data sources that the configuration names.

use cloud_init_rs::sources::{self, find};
use cloud_init_rs::{DataSource, Firmware};
use os_config::Config;

/// A data source to ask, and the text behind the colon of its name.
pub(super) struct SelectedSource<'a> {
    pub(super) source: &'static dyn DataSource,
    pub(super) root: Option<&'a str>,
}

/// The configured names of data sources; a machine whose configuration is locked has none.
pub(super) fn requested(config: &Config) -> &[String] {
    if config.rancher.cloud_init.lock {
        &[]
    } else {
        &config.rancher.datasources
    }
}

/// The configured data sources that are no disks, in the configured order: first the sources that the machine's
/// firmware or kernel line names, then the others. `*` stands for every source that the firmware or
/// kernel line names.
pub(super) fn select<'a>(config: &'a Config, firmware: &Firmware) -> Vec<SelectedSource<'a>> {
    let mut selected: Vec<SelectedSource<'a>> = Vec::new();
    for entry in requested(config) {
        let (name, root) = split_name(entry);
        let detected = sources::ALL
            .into_iter()
            .filter(|source| source.detect(firmware));
        let found: Vec<&'static dyn DataSource> = match name {
            "*" => detected.collect(),
            // The disk `nocloud` also selects the source on the network, if the kernel line names it.
            "nocloud" => detected
                .filter(|source| source.name() == "nocloud-net")
                .collect(),
            _ => find(name)
                .filter(|source| !source.is_disk())
                .into_iter()
                .collect(),
        };
        for source in found {
            if !selected
                .iter()
                .any(|known| known.source.name() == source.name() && known.root == root)
            {
                selected.push(SelectedSource { source, root });
            }
        }
    }
    selected.sort_by_key(|selected| !selected.source.detect(firmware));
    selected
}

/// `name` or `name:root`.
pub(super) fn split_name(entry: &str) -> (&str, Option<&str>) {
    match entry.split_once(':') {
        Some((name, root)) => (name, Some(root).filter(|root| !root.is_empty())),
        None => (entry, None),
    }
}

pub(super) fn is_known(entry: &str) -> bool {
    let (name, _) = split_name(entry);
    name == "*" || find_disk(name).is_some() || find(name).is_some()
}

pub(super) fn source_names() -> Vec<&'static str> {
    let sources = sources::ALL.into_iter().map(|source| source.name());
    sources.chain(["*"]).collect()
}

/// The data source on a disk that has the name. Proxmox hands its machines a disk of either of two kinds.
pub(super) fn find_disk(name: &str) -> Option<&'static dyn DataSource> {
    let name = if name == "proxmox" { "nocloud" } else { name };
    find(name).filter(|source| source.is_disk())
}

#[cfg(test)]
mod tests {
    use super::{is_known, requested, select, split_name};
    use cloud_init_rs::Firmware;
    use os_config::Config;

    fn names(datasources: &[&str], firmware: &Firmware) -> Vec<String> {
        let mut config = Config::default();
        config.rancher.datasources = datasources.iter().map(|&name| name.into()).collect();
        let selected = select(&config, firmware).into_iter();
        selected
            .map(|selected| match selected.root {
                Some(root) => format!("{}@{root}", selected.source.name()),
                None => selected.source.name().to_owned(),
            })
            .collect()
    }

    #[test]
    fn named_and_detected_sources_are_asked() {
        let nowhere = Firmware::default();
        let ec2 = Firmware {
            vendor: "Amazon EC2".into(),
            kernel_line: "cloud-config-url=http://h/a".into(),
            ..Firmware::default()
        };
        for (datasources, machine, expected) in [
            (&["*"][..], &nowhere, &[][..]),
            (&["*"], &ec2, &["cmdline", "ec2"]),
            (&[], &ec2, &[]),
            (&["nocloud", "configdrive"], &ec2, &[]),
            (&["gce", "ec2"], &nowhere, &["gce", "ec2"]),
            // A source that is named is asked, but the machine's own cloud first.
            (&["gce", "ec2"], &ec2, &["ec2", "gce"]),
            (
                &["url:http://h:1/a", "file:/x"],
                &nowhere,
                &["url@http://h:1/a", "file@/x"],
            ),
            (&["bogus", "equinix"], &nowhere, &["packet"]),
            (&["*", "ec2"], &ec2, &["cmdline", "ec2"]),
        ] {
            assert_eq!(names(datasources, machine), expected, "{datasources:?}");
        }
    }

    #[test]
    fn a_locked_machine_asks_nobody() {
        let ec2 = Firmware {
            vendor: "Amazon EC2".into(),
            ..Firmware::default()
        };
        let mut config = Config::default();
        config.rancher.datasources = vec!["*".into(), "file:/x".into()];
        for (lock, expected) in [(false, &["ec2", "file"][..]), (true, &[])] {
            config.rancher.cloud_init.lock = lock;
            let selected = select(&config, &ec2).into_iter();
            let names: Vec<&str> = selected.map(|found| found.source.name()).collect();
            assert_eq!(names, expected, "{lock}");
            assert_eq!(requested(&config).is_empty(), lock);
        }
    }

    #[test]
    fn names_with_and_without_a_root() {
        assert_eq!(split_name("a:http://h:1/"), ("a", Some("http://h:1/")));
        assert_eq!(split_name("a:"), ("a", None));
        for (entry, known) in [
            ("*", true),
            ("configdrive:/media/config-2", true),
            ("proxmox", true),
            ("gce", true),
            ("bogus", false),
            ("", false),
        ] {
            assert_eq!(is_known(entry), known, "DS-28 {entry}");
        }
    }
}
