//! Saves the answer of a data source. Every file is replaced as a whole, and files of an earlier answer without a
//! successor are removed. An answer that cannot be used changes nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use cloud_init_rs::user_data::{self, Parts};
use cloud_init_rs::{InstanceData, UserData};
use host::paths::{CLOUD_CONFIG_FOLDER, CONF, METADATA, PENDING_USER_DATA};
use host::problems::{self, ProblemRecord};
use os_config::load::VENDOR_FILES;
use os_config::{Diagnostic, atomic_file, bounded_file};

use crate::cloud_init::includes::Includes;

pub(super) const USER_DATA: &str = "user-data";
const VENDOR_DATA: &str = "vendor-data";
/// RancherOS's names. Files of the folder are merged in the order of their names: the vendor's `boot-…` before
/// `boot.…`, the parts `boot_02.yml` after it, `network.yml` last.
const BOOT: &str = "boot";
const NETWORK: &str = "network.yml";
const SCRIPT: &str = "cloud-config-script";
/// A key of the metadata.
const INSTANCE_ID: &str = "InstanceID";

/// Saves an answer and returns a short description of its content. Without the network, documents that user-data includes
/// stay pending.
pub(super) fn save(data: &InstanceData, network: Option<&Includes>) -> Result<String> {
    for problem in &data.problems {
        let text = format!("cloud-init: {problem}");
        problems::report(&ProblemRecord::error(
            "cloud-init.datasource",
            "cloud-init",
            text,
        ));
    }
    write("metadata", metadata(data).as_bytes(), 0o400)?;
    save_network(data)?;
    let user = parts(USER_DATA, &data.user_data, network)?;
    let vendor = parts(VENDOR_DATA, &data.vendor_data, network)?;
    save_parts(&vendor, &user)
}

/// Whether user-data waits for the network.
pub(super) fn has_pending() -> bool {
    Path::new(PENDING_USER_DATA).exists()
}

/// Saves pending user-data with the documents that it includes.
pub(super) fn save_pending(network: &Includes) -> Result<String> {
    let read = |name: &str| fs::read(Path::new(PENDING_USER_DATA).join(name)).unwrap_or_default();
    let user = parts(USER_DATA, &read(USER_DATA), Some(network))?;
    let vendor = parts(VENDOR_DATA, &read(VENDOR_DATA), Some(network))?;
    let said = save_parts(&vendor, &user)?;
    fs::remove_dir_all(PENDING_USER_DATA)
        .with_context(|| format!("removing {PENDING_USER_DATA}"))?;
    Ok(said)
}

/// The instance-id of the saved answer; `None` if it has none.
pub(super) fn saved_instance_id() -> Option<String> {
    instance_id_in(&bounded_file::text(Path::new(METADATA)).ok()?)
}

fn instance_id_in(metadata: &str) -> Option<String> {
    let metadata: serde_json::Value = serde_json::from_str(metadata).ok()?;
    let id = metadata.get(INSTANCE_ID)?.as_str()?;
    Some(id.to_owned()).filter(|id| !id.is_empty())
}

/// The time of the last saving, in this boot or an earlier boot.
pub(super) fn last_save_time() -> Option<SystemTime> {
    fs::metadata(METADATA).ok()?.modified().ok()
}

/// Splits a document into its parts and reports the parts that cannot be used.
fn parts(name: &str, bytes: &[u8], network: Option<&Includes>) -> Result<Parts> {
    let parts = match network {
        None => user_data::parts(bytes),
        Some(network) => user_data::parts_with_includes(bytes, &mut |url| {
            if let Some(warning) = network.warning(url) {
                report(name, warning);
            }
            network.get(url)
        }),
    };
    let instead = if parts.usable.is_empty() {
        "; the one saved before stays in force"
    } else {
        "; the rest is used"
    };
    for error in &parts.refused {
        report_document(name, format!("{error}{instead}"));
    }
    if parts.has_includes() {
        fs::create_dir_all(PENDING_USER_DATA)
            .with_context(|| format!("creating {PENDING_USER_DATA}"))?;
        let file = Path::new(PENDING_USER_DATA).join(name);
        atomic_file::replace(&file, bytes, 0o400)
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(parts)
}

/// Reports that this boot could not use the document, or a part of it.
pub(super) fn report_document(name: &str, message: String) {
    report(name, Diagnostic::error("", message));
}

/// Reports a problem in a document of a data source.
pub(super) fn report(name: &str, diagnostic: Diagnostic) {
    let diagnostic = diagnostic.in_file(name);
    problems::report(&ProblemRecord::of_document(&document_id(name), diagnostic));
}

/// The id of the problems in a document of a data source.
fn document_id(name: &str) -> String {
    format!("cloud-init.{name}")
}

fn save_parts(vendor: &Parts, user: &Parts) -> Result<String> {
    let mut said = Vec::new();
    let mut files = Vec::new();
    let mut scripts = 0;
    for (base, parts) in [(VENDOR_FILES, vendor), (BOOT, user)] {
        let mut configs = 0;
        for part in &parts.usable {
            let (path, bytes, mode, what) = match part {
                UserData::CloudConfig(bytes) => {
                    configs += 1;
                    (config(base, configs), &bytes[..], 0o400, "cloud-config")
                }
                UserData::Compose(text) => {
                    configs += 1;
                    (
                        config(base, configs),
                        text.as_bytes(),
                        0o400,
                        "compose file",
                    )
                }
                // A provider's program is written for the provider's own images, where it installs packages.
                UserData::Script(_) if base == VENDOR_FILES => {
                    println!("a program of the vendor's is not run");
                    continue;
                }
                UserData::Script(bytes) => {
                    scripts += 1;
                    (script(scripts), &bytes[..], 0o700, "script")
                }
                UserData::Include(_) | UserData::Empty => continue,
            };
            write(&path, bytes, mode)?;
            files.push(path);
            said.push(what);
        }
    }
    if !user.usable.is_empty() {
        remove_stale(&files)?;
    }
    Ok(match said.as_slice() {
        [] if user.refused.is_empty() => "no user-data".to_owned(),
        [] => "user-data not usable".to_owned(),
        _ => said.join(", "),
    })
}

/// The path of a cloud-config by its number.
fn config(base: &str, number: usize) -> String {
    match number {
        1 => format!("{CLOUD_CONFIG_FOLDER}/{base}.yml"),
        _ => format!("{CLOUD_CONFIG_FOLDER}/{base}_{number:02}.yml"),
    }
}

fn script(number: usize) -> String {
    match number {
        1 => SCRIPT.to_owned(),
        _ => format!("{SCRIPT}_{number:02}"),
    }
}

/// The saved scripts, in their order.
pub(crate) fn scripts() -> Vec<PathBuf> {
    (1..)
        .map(|number| Path::new(CONF).join(script(number)))
        .take_while(|path| path.exists())
        .collect()
}

/// The problems of user-data that this boot could not use.
pub(crate) fn user_data_problems() -> Vec<Diagnostic> {
    problems::list()
        .into_iter()
        .filter(|problem| problem.id == document_id(USER_DATA))
        .filter_map(|problem| problem.diagnostic)
        .collect()
}

/// Removes the files of an earlier answer that the new answer has not replaced.
fn remove_stale(files: &[String]) -> Result<()> {
    const MOST: usize = 100;
    let known = (1..=MOST).flat_map(|number| {
        [
            config(BOOT, number),
            config(VENDOR_FILES, number),
            script(number),
        ]
    });
    for name in known.filter(|name| !files.contains(name)) {
        let path = Path::new(CONF).join(name);
        if path.exists() {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

fn save_network(data: &InstanceData) -> Result<()> {
    let name = format!("{CLOUD_CONFIG_FOLDER}/{NETWORK}");
    match &data.network {
        // JSON is YAML.
        Some(network) => write(
            &name,
            format!("{}\n", network.to_cloud_config()).as_bytes(),
            0o400,
        ),
        None => match fs::remove_file(Path::new(CONF).join(&name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("removing {name}"))
            }
            _ => Ok(()),
        },
    }
}

fn metadata(data: &InstanceData) -> String {
    let addresses = &data.addresses;
    let value = serde_json::json!({
        "Hostname": data.hostname.clone().unwrap_or_default(),
        "SSHPublicKeys": data.ssh_keys,
        INSTANCE_ID: data.instance_id.clone().unwrap_or_default(),
        "RootDisk": data.root_disk.clone().unwrap_or_default(),
        "PublicIPv4": addresses.public_ipv4.clone().unwrap_or_default(),
        "PrivateIPv4": addresses.private_ipv4.clone().unwrap_or_default(),
        "PublicIPv6": addresses.public_ipv6.clone().unwrap_or_default(),
        "PrivateIPv6": addresses.private_ipv6.clone().unwrap_or_default(),
    });
    // JSON is YAML.
    format!("{value}\n")
}

fn write(name: &str, content: &[u8], mode: u32) -> Result<()> {
    let path = Path::new(CONF).join(name);
    atomic_file::replace(&path, content, mode)
        .with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{instance_id_in, metadata};
    use cloud_init_rs::InstanceData;

    #[test]
    fn the_instance_id_is_read_as_it_was_saved() {
        for id in [None, Some("i-0: \"x\"\n")] {
            let data = InstanceData {
                instance_id: id.map(str::to_owned),
                ..InstanceData::default()
            };
            assert_eq!(instance_id_in(&metadata(&data)).as_deref(), id);
        }
        // Earlier versions and RancherOS wrote no id, and RancherOS no JSON.
        for text in ["", "Hostname: a\n", "{\"Hostname\": \"a\"}"] {
            assert_eq!(instance_id_in(text), None, "{text}");
        }
    }
}
