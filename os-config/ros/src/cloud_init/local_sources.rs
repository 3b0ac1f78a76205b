//! Data sources that need no network: disks with certain labels, folders, and services such as VMware's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use cloud_init_rs::sources;
use cloud_init_rs::{Client, DataSource, Firmware, InstanceData, Query};
use host::block::{self, Device};
use host::console;
use host::facts;
use host::paths::DATASOURCE_MOUNT;
use host::problems::{self, ProblemRecord};
use host::process::deadline;
use os_config::Config;

use crate::cloud_init::host_shares;
use crate::cloud_init::instance::{Answers, Verdict};
use crate::cloud_init::seed_disks::{self, Seed};
use crate::cloud_init::selection::{find_disk, requested, select, split_name};
use crate::cloud_init::{current_source, save};

/// A source without a network answers at once or not at all.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The limit for a disk. A CD drive needs seconds for each of its files.
const DISK_TIMEOUT: Duration = Duration::from_secs(60);

/// The search for a data source without a network. A disk that appears late is found by searching again.
#[derive(Debug)]
pub(crate) struct LocalSources {
    tried: Vec<PathBuf>,
    asked: bool,
    answers: Answers<InstanceData>,
}

impl LocalSources {
    pub(crate) fn new() -> Self {
        Self {
            tried: Vec::new(),
            asked: false,
            answers: Answers::new(save::saved_instance_id()),
        }
    }

    /// Reads the data sources that have not been tried until one knows the machine, and saves its answer.
    pub(crate) fn read_new(&mut self, config: &Config) -> Result<()> {
        if current_source::read().is_some() {
            return Ok(());
        }
        let mut seeds = matching_devices(config);
        seeds.retain(|seed| !self.tried.contains(&seed.device.node));
        let found: Vec<PathBuf> = seeds.iter().map(|seed| seed.device.node.clone()).collect();
        let is_first_boot = facts::is_first_boot(Path::new("/"));
        let (seeds, refused) = seed_disks::choose(seeds, config, is_first_boot);
        let is_read = |node: &PathBuf| seeds.iter().any(|seed| seed.device.node == *node);
        // What is not read is said once.
        let ignored = found.into_iter().filter(|node| !is_read(node));
        self.tried.extend(ignored);
        for text in refused {
            console::print_line(&format!("ros: {text}"));
        }
        for Seed {
            source: disk,
            device,
            ..
        } in seeds
        {
            if self.tried.contains(&device.node) {
                continue;
            }
            self.tried.push(device.node.clone());
            let place = format!("{} on {}", disk.name(), device.node.display());
            if self.take(&place, read(disk, &device))? {
                return Ok(());
            }
        }
        if !std::mem::replace(&mut self.asked, true) {
            for (disk, folder) in folders(config) {
                let place = format!("{} in {}", disk.name(), folder.display());
                let data = disk.read(&folder).map_err(Into::into);
                if self.take(&place, data)? {
                    return Ok(());
                }
            }
            if self.ask_local_sources(config)? {
                return Ok(());
            }
        }
        if let Some((place, data)) = self.answers.end_look() {
            console::print_line(&format!(
                "ros: {place} has another instance-id than the machine had: a new machine, which it configures"
            ));
            self.save(&place, &data)?;
        }
        Ok(())
    }

    /// Saves the answer of a data source if it is this machine's. Returns whether the search is over.
    fn take(&mut self, place: &str, data: Result<Option<InstanceData>>) -> Result<bool> {
        match data {
            Ok(Some(data)) => {
                let id = data.instance_id.clone();
                let Verdict::Taken(data) = self.answers.judge(place, id.as_deref(), data) else {
                    return Ok(false);
                };
                self.save(place, &data)?;
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => {
                let text = format!("{place}: {error:#}");
                problems::report(&ProblemRecord::error("cloud-init.datasource", place, text));
                Ok(false)
            }
        }
    }

    fn save(&self, place: &str, data: &InstanceData) -> Result<()> {
        println!("{place}: {}", save::save(data, None)?);
        for unused in self.answers.unused() {
            console::print_line(&format!(
                "ros: {unused} is not used: {place} has this machine's configuration"
            ));
        }
        current_source::write(place)
    }

    /// Asks the sources that are neither disk nor folder and need no network. Returns whether the search is over.
    fn ask_local_sources(&mut self, config: &Config) -> Result<bool> {
        let firmware = Firmware::read(Path::new("/"));
        let http = Client::new(REQUEST_TIMEOUT);
        for selected in select(config, &firmware) {
            if selected.source.needs_network(&firmware) {
                continue;
            }
            let query = Query {
                http: &http,
                firmware: &firmware,
                root: selected.root,
            };
            let data = selected.source.fetch(&query).map_err(Into::into);
            if self.take(selected.source.name(), data)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The kinds of disks that are configured, in the configured order.
fn requested_disks(config: &Config) -> Vec<&'static dyn DataSource> {
    let asked_for = requested(config);
    if asked_for.iter().any(|name| name == "*") {
        let all = sources::ALL.into_iter();
        return all.filter(|source| source.is_disk()).collect();
    }
    let mut disks: Vec<&'static dyn DataSource> = Vec::new();
    for entry in asked_for {
        let (name, _) = split_name(entry);
        disks.extend(find_disk(name));
        if name == "proxmox" {
            disks.extend(find_disk("configdrive"));
        }
    }
    disks
}

/// Disks that carry a configured data source, in the configured order.
fn matching_devices(config: &Config) -> Vec<Seed<&'static dyn DataSource>> {
    let disks = requested_disks(config);
    if disks.is_empty() {
        return Vec::new();
    }
    let root = Path::new("/");
    let mut devices = block::devices(root);
    devices.extend(host_shares::find(root));
    let own = block::own_disks(root);
    let is_removable = |node: &Path| {
        let is_own = block::disk_of(root, node).is_some_and(|disk| own.contains(&disk));
        !is_own && block::is_removable(root, node)
    };
    disks
        .into_iter()
        .flat_map(|disk| {
            devices
                .iter()
                .filter(|device| disk.labels().contains(&device.superblock.label.as_str()))
                .map(|device| Seed {
                    source: disk,
                    is_removable: is_removable(&device.node),
                    device: device.clone(),
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The folders of entries such as `configdrive:/folder`. RancherOS's mount points do not exist here and are left out.
fn folders(config: &Config) -> Vec<(&'static dyn DataSource, PathBuf)> {
    let asked_for = requested(config).iter();
    asked_for
        .filter_map(|entry| {
            let (name, root) = split_name(entry);
            let folder = Path::new(root?);
            Some((find_disk(name)?, folder.to_owned()))
        })
        .filter(|(_, folder)| folder.is_absolute() && folder.is_dir())
        .collect()
}

/// Reads a disk. A dying disk can block its reader for ever, and the boot goes on without it.
fn read(disk: &'static dyn DataSource, device: &Device) -> Result<Option<InstanceData>> {
    let asked = device.clone();
    let read = move || {
        let mounted = TemporaryMount::read_only(&asked)?;
        disk.read(mounted.path()).map_err(Into::into)
    };
    deadline::within(DISK_TIMEOUT, read, drop).context("the disk does not answer")?
}

/// Nothing on a data source's filesystem is changed, run or opened as a device.
fn mount_options(fstype: &str) -> String {
    let safe = "ro,nosuid,nodev,noexec";
    match fstype {
        host_shares::FSTYPE => format!("{safe},{}", host_shares::OPTIONS),
        _ => safe.to_owned(),
    }
}

/// A mount that ends when the value is dropped.
struct TemporaryMount {
    target: PathBuf,
}

impl TemporaryMount {
    fn read_only(device: &Device) -> Result<Self> {
        let step = host::step::Step::Mount {
            source: device.node.display().to_string(),
            target: DATASOURCE_MOUNT.into(),
            fstype: device.superblock.fstype.to_owned(),
            options: mount_options(device.superblock.fstype),
        };
        host::perform::run_step(&step)?;
        Ok(Self {
            target: DATASOURCE_MOUNT.into(),
        })
    }

    fn path(&self) -> &Path {
        &self.target
    }
}

impl Drop for TemporaryMount {
    fn drop(&mut self) {
        if let Err(error) = nix::mount::umount(&self.target) {
            eprintln!("unmounting {}: {error}", self.target.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use os_config::Config;

    use super::{folders, mount_options, requested_disks};

    #[test]
    fn a_locked_machine_reads_no_disk_and_no_folder() {
        let mut config = Config::default();
        config.rancher.datasources = vec!["*".into(), "configdrive:/".into()];
        for lock in [false, true] {
            config.rancher.cloud_init.lock = lock;
            assert_eq!(requested_disks(&config).is_empty(), lock);
            assert_eq!(folders(&config).is_empty(), lock);
        }
    }

    #[test]
    fn shares_of_the_host_are_mounted_as_carefully_as_disks() {
        assert_eq!(mount_options("vfat"), "ro,nosuid,nodev,noexec");
        assert_eq!(
            mount_options("9p"),
            "ro,nosuid,nodev,noexec,trans=virtio,version=9p2000.L"
        );
    }

    #[test]
    fn disks_are_read_as_the_configuration_lists_them() {
        for (datasources, expected) in [
            (&[][..], &[][..]),
            (&["*"], &["nocloud", "configdrive", "ovf", "azure-ovf"]),
            (&["configdrive", "ec2"], &["configdrive"]),
            // Proxmox makes a disc of either kind.
            (&["proxmox"], &["nocloud", "configdrive"]),
        ] {
            let mut config = Config::default();
            config.rancher.datasources = datasources.iter().map(|&name| name.into()).collect();
            let found = requested_disks(&config).into_iter();
            let names: Vec<&str> = found.map(|source| source.name()).collect();
            assert_eq!(names, expected, "{datasources:?}");
        }
    }
}
