//! `ros cloud-init-save`: finds the machine's data source and saves what it says where the next
//! `load` of the configuration finds it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use init::block::{self, Device};
use os_config::Config;

const CONF: &str = "/var/lib/rancher/conf";
const MOUNT_POINT: &str = "/run/ros/datasource";
const PROBLEMS: &str = "/run/ros/problems";

/// A data source that sits on a disk, and the labels by which it is known.
struct OnDisk {
    name: &'static str,
    labels: &'static [&'static str],
}

const ON_DISK: [OnDisk; 2] = [
    OnDisk {
        name: "nocloud",
        labels: &["cidata", "CIDATA"],
    },
    OnDisk {
        name: "configdrive",
        labels: &["config-2", "CONFIG-2"],
    },
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode> {
    let config = os_config::load::load(Path::new("/")).config;
    for (source, device) in candidates(&config) {
        match read(source, &device) {
            Ok(Some(data)) => {
                let said = save(&data)?;
                println!("{source} on {}: {said}", device.node.display());
                return Ok(ExitCode::SUCCESS);
            }
            Ok(None) => {}
            Err(error) => problem(&format!("{source} on {}: {error:#}", device.node.display())),
        }
    }
    println!("no data source found; what was saved before stays in force");
    Ok(ExitCode::SUCCESS)
}

/// Whether there is anything for the cloud-init container to look at.
pub(crate) fn is_needed(config: &Config) -> bool {
    !candidates(config).is_empty()
}

/// Disks that carry one of the configured data sources.
fn candidates(config: &Config) -> Vec<(&'static str, Device)> {
    let wanted: Vec<&OnDisk> = ON_DISK
        .iter()
        .filter(|source| {
            config.rancher.datasources.iter().any(|name| {
                let name = name.split(':').next().unwrap_or(name);
                name == source.name || name == "*"
            })
        })
        .collect();
    let devices = block::devices(Path::new("/"));
    wanted
        .into_iter()
        .flat_map(|source| {
            devices
                .iter()
                .filter(|device| source.labels.contains(&device.superblock.label.as_str()))
                .map(|device| (source.name, device.clone()))
        })
        .collect()
}

fn read(source: &str, device: &Device) -> Result<Option<cloud_init_rs::Data>> {
    let mounted = Mounted::read_only(device)?;
    match source {
        "nocloud" => cloud_init_rs::nocloud::read_folder(mounted.path()),
        _ => cloud_init_rs::configdrive::read_folder(mounted.path()),
    }
    .map_err(Into::into)
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
fn save(data: &cloud_init_rs::Data) -> Result<String> {
    write(
        &Path::new(CONF).join("metadata"),
        metadata(data).as_bytes(),
        0o400,
    )?;
    let user_data = match cloud_init_rs::user_data::parse(&data.user_data) {
        Ok(user_data) => user_data,
        Err(error) => {
            problem(&format!(
                "user-data: {error}; the one saved before stays in force"
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

fn metadata(data: &cloud_init_rs::Data) -> String {
    let value = serde_json::json!({
        "Hostname": data.hostname.clone().unwrap_or_default(),
        "SSHPublicKeys": data.ssh_keys,
    });
    // JSON is YAML.
    format!("{value}\n")
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let temporary = path.with_extension("new");
    let _ = fs::remove_file(&temporary);
    let write = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(mode))?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// Kept for the service engine, which says it on the consoles, and for the ssh banner.
fn problem(text: &str) {
    eprintln!("{text}");
    if let Ok(mut file) = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(PROBLEMS)
    {
        let _ = writeln!(file, "{text}");
    }
}
