//! Data sources: finds the machine's, and saves what it says where the next `load` of the configuration
//! finds it.
//!
//! The service engine reads those on disks itself while System Docker starts: a container for a few
//! milliseconds of work would keep the console waiting for seconds. The container `cloud-init`
//! (`ros cloud-init-save`) is there for those that need the network.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use cloud_init_rs::{Data, Datasource, ON_DISK};
use init::block::{self, Device};
use init::problems;
use os_config::{Config, Problem, Severity, whole_file};

const CONF: &str = "/var/lib/rancher/conf";
const MOUNT_POINT: &str = "/run/ros/datasource";
const USER_DATA: &str = "user-data";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let config = os_config::load::load(Path::new("/")).config;
    if !Disks::default().read_new(&config)? {
        println!("no data source found; what was saved before stays in force");
    }
    for name in elsewhere(&config) {
        let known: Vec<&str> = ON_DISK.iter().map(|source| source.name()).collect();
        problems::say(&format!(
            "rancher.cloud_init.datasources: {name} is not supported, but {}",
            known.join(", ")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a data source is asked for that is not on a disk.
pub(crate) fn needs_container(config: &Config) -> bool {
    !elsewhere(config).is_empty()
}

/// The configured data sources that are not on a disk.
fn elsewhere(config: &Config) -> Vec<&str> {
    let asked_for = &config.rancher.datasources;
    asked_for
        .iter()
        .filter(|name| on_disk(name).is_none() && *name != "*")
        .map(String::as_str)
        .collect()
}

/// The data source that `nocloud` or, in RancherOS's form, `configdrive:/media/config-2` names.
fn on_disk(name: &str) -> Option<&'static dyn Datasource> {
    let name = name.split(':').next().unwrap_or(name);
    ON_DISK.into_iter().find(|source| source.name() == name)
}

/// The search for a data source on a disk. A disk that appears late is found by searching again.
#[derive(Debug, Default)]
pub(crate) struct Disks {
    tried: Vec<PathBuf>,
    found: bool,
}

impl Disks {
    /// Reads the first data source found on a disk that has not been tried, and saves it. Returns
    /// whether it found one.
    pub(crate) fn read_new(&mut self, config: &Config) -> Result<bool> {
        if self.found {
            return Ok(false);
        }
        for (source, device) in candidates(config) {
            if self.tried.contains(&device.node) {
                continue;
            }
            let (name, node) = (source.name(), device.node.display());
            match read(source, &device) {
                Ok(Some(data)) => {
                    let said = save(&data)?;
                    println!("{name} on {node}: {said}");
                    self.found = true;
                    return Ok(true);
                }
                Ok(None) => {}
                Err(error) => problems::say(&format!("{name} on {node}: {error:#}")),
            }
            self.tried.push(device.node);
        }
        Ok(false)
    }
}

/// Disks that carry one of the configured data sources, in the configured order.
fn candidates(config: &Config) -> Vec<(&'static dyn Datasource, Device)> {
    let asked_for = &config.rancher.datasources;
    let wanted: Vec<&'static dyn Datasource> = if asked_for.iter().any(|name| name == "*") {
        ON_DISK.into()
    } else {
        asked_for.iter().filter_map(|name| on_disk(name)).collect()
    };
    if wanted.is_empty() {
        return Vec::new();
    }
    let devices = block::devices(Path::new("/"));
    wanted
        .into_iter()
        .flat_map(|source| {
            devices
                .iter()
                .filter(|device| source.labels().contains(&device.superblock.label.as_str()))
                .map(move |device| (source, device.clone()))
        })
        .collect()
}

fn read(source: &dyn Datasource, device: &Device) -> Result<Option<Data>> {
    let mounted = Mounted::read_only(device)?;
    source.read(mounted.path()).map_err(Into::into)
}

/// A mount that is taken away again.
struct Mounted {
    target: PathBuf,
}

impl Mounted {
    fn read_only(device: &Device) -> Result<Self> {
        let step = init::step::Step::Mount {
            source: device.node.display().to_string(),
            target: MOUNT_POINT.into(),
            fstype: device.superblock.fstype.to_owned(),
            options: "ro,nosuid,nodev,noexec".to_owned(),
        };
        init::perform::step(&step)?;
        Ok(Self {
            target: MOUNT_POINT.into(),
        })
    }

    fn path(&self) -> &Path {
        &self.target
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = nix::mount::umount(&self.target) {
            eprintln!("unmounting {}: {error}", self.target.display());
        }
    }
}

/// Saves user-data and metadata; says in a few words what it was.
fn save(data: &Data) -> Result<String> {
    write(
        &Path::new(CONF).join("metadata"),
        metadata(data).as_bytes(),
        0o400,
    )?;
    let user_data = match cloud_init_rs::user_data::parse(&data.user_data) {
        Ok(user_data) => user_data,
        Err(error) => {
            problems::say(&format!(
                "{USER_DATA}: {error}; the one saved before stays in force"
            ));
            return Ok("user-data not usable".to_owned());
        }
    };
    save_user_data(&user_data)
}

fn save_user_data(user_data: &cloud_init_rs::UserData) -> Result<String> {
    use cloud_init_rs::UserData;
    let boot = Path::new(CONF).join("cloud-config.d/boot.yml");
    let script = Path::new(CONF).join("cloud-config-script");
    let said = match user_data {
        UserData::Empty => "no user-data",
        UserData::CloudConfig(bytes) => {
            write(&boot, bytes, 0o400)?;
            "cloud-config"
        }
        UserData::Compose(text) => {
            write(&boot, text.as_bytes(), 0o400)?;
            "compose file"
        }
        UserData::Script(bytes) => {
            write(&script, bytes, 0o755)?;
            "script"
        }
    };
    Ok(said.to_owned())
}

fn metadata(data: &Data) -> String {
    let value = serde_json::json!({
        "Hostname": data.hostname.clone().unwrap_or_default(),
        "SSHPublicKeys": data.ssh_keys,
    });
    // JSON is YAML.
    format!("{value}\n")
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    whole_file::replace(path, content, mode).with_context(|| format!("writing {}", path.display()))
}

/// What was wrong with user-data that could not be taken in this boot.
pub(crate) fn refused() -> Vec<Problem> {
    let kept = problems::kept();
    let messages = kept
        .iter()
        .filter_map(|text| text.strip_prefix(USER_DATA)?.strip_prefix(": "));
    messages
        .map(|message| Problem {
            file: USER_DATA.to_owned(),
            position: None,
            key_path: String::new(),
            message: message.to_owned(),
            severity: Severity::Error,
        })
        .collect()
}
