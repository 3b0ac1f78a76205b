//! Data sources: finds the machine's, and saves what it says where the next `load` of the configuration
//! finds it.
//!
//! The service engine reads those on disks, and others that need no network, itself while System Docker
//! starts: a container for a few milliseconds of work would keep the console waiting for seconds. The
//! container `cloud-init` (`ros cloud-init-save`) comes after the network and asks the rest.

mod ask;
mod disks;
mod save;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use cloud_init_rs::sources::{self, find};
use cloud_init_rs::{DataSource, Firmware};
use host::problems;
use os_config::{Config, Problem};

pub(crate) use disks::Disks;
pub(crate) use save::scripts;

const CONF: &str = "/var/lib/rancher/conf";
/// Holds the name of the data source that this boot has found.
const FOUND: &str = "/run/ros/datasource-found";
const USER_DATA: &str = "user-data";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let config = os_config::load::load(Path::new("/")).config;
    let asked_for = &config.rancher.datasources;
    for name in asked_for.iter().filter(|name| !is_known(name)) {
        problems::report(&format!(
            "rancher.cloud_init.datasources: {name} is not known; known are {}",
            known_names().join(", ")
        ));
    }
    if save::has_pending() {
        ask::fetch_pending(&config)?;
    } else if found().is_none() {
        ask::ask_network(&config)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether there is something that only the container can do: a data source on the network, or what
/// user-data includes from there.
pub(crate) fn needs_container(config: &Config) -> bool {
    let asked_for = &config.rancher.datasources;
    let has_unknown = asked_for.iter().any(|name| !is_known(name));
    let machine = Firmware::read(Path::new("/"));
    let to_ask = || {
        let mut wanted = wanted(config, &machine).into_iter();
        found().is_none() && wanted.any(|wanted| wanted.service.needs_network(&machine))
    };
    has_unknown || save::has_pending() || to_ask()
}

/// A service to ask, with what stands behind the colon of its name.
struct Wanted<'a> {
    service: &'static dyn DataSource,
    root: Option<&'a str>,
}

/// The configured data sources that are no disks: first those that the machine's firmware or kernel line
/// name, each in the configured order. `*` is all of these.
fn wanted<'a>(config: &'a Config, machine: &Firmware) -> Vec<Wanted<'a>> {
    let mut wanted: Vec<Wanted<'a>> = Vec::new();
    for entry in &config.rancher.datasources {
        let (name, root) = split(entry);
        let detected = sources::ALL
            .into_iter()
            .filter(|service| service.detect(machine));
        let services: Vec<&'static dyn DataSource> = match name {
            "*" => detected.collect(),
            // Its kernel line counts where the disk is wanted as well.
            "nocloud" => detected
                .filter(|service| service.name() == "nocloud-net")
                .collect(),
            _ => find(name)
                .filter(|source| !source.is_disk())
                .into_iter()
                .collect(),
        };
        for service in services {
            if !wanted
                .iter()
                .any(|known| known.service.name() == service.name() && known.root == root)
            {
                wanted.push(Wanted { service, root });
            }
        }
    }
    wanted.sort_by_key(|wanted| !wanted.service.detect(machine));
    wanted
}

/// `name` or `name:root`.
fn split(entry: &str) -> (&str, Option<&str>) {
    match entry.split_once(':') {
        Some((name, root)) => (name, Some(root).filter(|root| !root.is_empty())),
        None => (entry, None),
    }
}

fn is_known(entry: &str) -> bool {
    let (name, _) = split(entry);
    name == "*" || disks::named(name).is_some() || find(name).is_some()
}

fn known_names() -> Vec<&'static str> {
    let sources = sources::ALL.into_iter().map(|source| source.name());
    sources.chain(["*"]).collect()
}

/// The data source that this boot has found.
fn found() -> Option<String> {
    std::fs::read_to_string(FOUND).ok()
}

fn remember(name: &str) -> Result<()> {
    std::fs::write(FOUND, name).with_context(|| format!("writing {FOUND}"))
}

/// What was wrong with user-data that could not be taken in this boot.
pub(crate) fn user_data_problems() -> Vec<Problem> {
    let kept = problems::list();
    let messages = kept
        .iter()
        .filter_map(|text| text.strip_prefix(USER_DATA)?.strip_prefix(": "));
    messages
        .map(|message| Problem::of_file(USER_DATA, None, message))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{is_known, split, wanted};
    use cloud_init_rs::Firmware;
    use os_config::Config;

    fn names(datasources: &[&str], machine: &Firmware) -> Vec<String> {
        let mut config = Config::default();
        config.rancher.datasources = datasources.iter().map(|&name| name.into()).collect();
        let wanted = wanted(&config, machine).into_iter();
        wanted
            .map(|wanted| match wanted.root {
                Some(root) => format!("{}@{root}", wanted.service.name()),
                None => wanted.service.name().to_owned(),
            })
            .collect()
    }

    #[test]
    fn who_is_asked() {
        let nowhere = Firmware::default();
        let ec2 = Firmware {
            vendor: "Amazon EC2".into(),
            kernel_line: "cloud-config-url=http://h/a".into(),
            ..Firmware::default()
        };
        for (datasources, machine, expected) in [
            (&["*"][..], &nowhere, &[][..]),
            (&["*"], &ec2, &["cmdline", "ec2"]),
            (&["nocloud", "configdrive"], &ec2, &[]),
            (&["gce", "ec2"], &nowhere, &["gce", "ec2"]),
            // Who is named is asked, but the machine's own cloud first.
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
    fn names_with_and_without_a_root() {
        assert_eq!(split("a:http://h:1/"), ("a", Some("http://h:1/")));
        assert_eq!(split("a:"), ("a", None));
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
