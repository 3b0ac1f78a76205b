//! The media that carry a cloud-config: NoCloud's and OpenStack's config drive, each as a CD and as a FAT disk, and
//! VMware's OVF environment. They are made without mounting anything.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use serde_json::json;

use crate::harness::spawn::run_tool;
use crate::harness::spec::SeedKind;

/// The user-data of a machine.
#[derive(Debug, Clone)]
pub enum UserData {
    /// A cloud-config of the test's ssh key and these keys.
    Config(String),
    /// Exactly these bytes; the ssh key is in the meta-data only.
    Raw(Vec<u8>),
}

impl UserData {
    /// A cloud-config that only sets an ssh key.
    pub fn key_only() -> Self {
        Self::Config(String::new())
    }

    /// A cloud-config with these keys besides the ssh key.
    pub fn config(keys: &str) -> Self {
        Self::Config(keys.to_owned())
    }

    /// The document as the machine reads it.
    pub fn document(&self, public_key: &str) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.clone(),
            Self::Config(keys) => {
                format!("#cloud-config\nssh_authorized_keys:\n  - {public_key}\n{keys}")
                    .into_bytes()
            }
        }
    }
}

/// Makes the medium, or the folder to share, in `dir`; returns `None` for [`SeedKind::None`]. NoCloud's media carry `network_config` too.
pub fn make(
    kind: SeedKind,
    user_data: &UserData,
    network_config: Option<&str>,
    public_key: &str,
    dir: &Path,
) -> Result<Option<PathBuf>> {
    let tree = dir.join("seed");
    let document = user_data.document(public_key);
    let (label, top) = match kind {
        SeedKind::None => return Ok(None),
        SeedKind::NocloudIso => ("cidata", "user-data"),
        SeedKind::NocloudVfat => ("CIDATA", "user-data"),
        SeedKind::ConfigDriveIso | SeedKind::ConfigDriveVfat | SeedKind::ConfigDriveShare => {
            ("config-2", "openstack")
        }
        SeedKind::OvfIso => ("OVF ENV", "ovf-env.xml"),
    };
    if top == "ovf-env.xml" {
        write_file(
            &tree.join(top),
            ovf_environment(&document, public_key).as_bytes(),
        )?;
    } else if top == "user-data" {
        write_file(&tree.join("user-data"), &document)?;
        write_file(
            &tree.join("meta-data"),
            nocloud_metadata(public_key).as_bytes(),
        )?;
        if let Some(text) = network_config {
            write_file(&tree.join("network-config"), text.as_bytes())?;
        }
    } else {
        let latest = tree.join("openstack/latest");
        write_file(&latest.join("user_data"), &document)?;
        write_file(
            &latest.join("meta_data.json"),
            openstack_metadata(public_key).as_bytes(),
        )?;
    }
    if kind == SeedKind::ConfigDriveShare {
        return Ok(Some(tree));
    }
    let medium = dir.join(if kind.is_iso() {
        "seed.iso"
    } else {
        "seed.img"
    });
    if kind.is_iso() {
        make_iso(&medium, label, &tree)?;
    } else {
        make_fat(&medium, label, &tree, document.len())?;
    }
    Ok(Some(medium))
}

fn nocloud_metadata(public_key: &str) -> String {
    format!("instance-id: harness\npublic-keys:\n  - {public_key}\n")
}

/// The document as VMware writes it, with the user-data in base64, as templates ask for it.
fn ovf_environment(document: &[u8], public_key: &str) -> String {
    let user_data = base64::engine::general_purpose::STANDARD.encode(document);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Environment xmlns=\"http://schemas.dmtf.org/ovf/environment/1\" \
         xmlns:oe=\"http://schemas.dmtf.org/ovf/environment/1\"><PropertySection>\
         <Property oe:key=\"hostname\" oe:value=\"from-ovf\"/><Property oe:key=\"public-keys\" oe:value=\"{public_key}\"/>\
         <Property oe:key=\"user-data\" oe:value=\"{user_data}\"/></PropertySection></Environment>\n"
    )
}

fn openstack_metadata(public_key: &str) -> String {
    json!({"uuid": "harness", "public_keys": {"harness": public_key}}).to_string()
}

fn write_file(file: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(parent) = file.parent() {
        fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
    }
    fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))
}

fn make_iso(medium: &Path, label: &str, tree: &Path) -> Result<()> {
    let (medium, tree) = (medium.to_string_lossy(), tree.to_string_lossy());
    run_tool(
        "xorriso",
        &[
            "-as", "mkisofs", "-quiet", "-J", "-r", "-V", label, "-o", &medium, &tree,
        ],
    )
    .map(drop)
}

fn make_fat(medium: &Path, label: &str, tree: &Path, bytes: usize) -> Result<()> {
    let image = medium.to_string_lossy().into_owned();
    let file = fs::File::create(medium).with_context(|| format!("creating {image}"))?;
    let size = (bytes as u64 + 4 * 1024 * 1024).next_multiple_of(1024 * 1024);
    file.set_len(size)
        .with_context(|| format!("sizing {image}"))?;
    run_tool("mformat", &["-i", &image, "-v", label, "::"])?;
    for entry in fs::read_dir(tree).context("listing the seed")? {
        let path = entry.context("listing the seed")?.path();
        run_tool(
            "mcopy",
            &["-s", "-i", &image, &path.to_string_lossy(), "::"],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::{UserData, make};
    use crate::harness::spawn::run_tool;
    use crate::harness::spec::SeedKind;

    /// The medium, and the folder that holds it.
    fn medium(kind: SeedKind) -> (PathBuf, TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = make(
            kind,
            &UserData::config("hostname: cow\n"),
            None,
            "ssh-ed25519 AAAA me",
            dir.path(),
        )
        .unwrap();
        (path.unwrap(), dir)
    }

    #[test]
    fn a_config_gets_the_key_and_raw_bytes_do_not() {
        let text = String::from_utf8(UserData::config("hostname: cow\n").document("KEY")).unwrap();
        assert_eq!(
            text,
            "#cloud-config\nssh_authorized_keys:\n  - KEY\nhostname: cow\n"
        );
        assert_eq!(UserData::Raw(vec![0, 255]).document("KEY"), [0, 255]);
    }

    #[test]
    fn a_fat_seed_holds_both_files_under_their_long_names() {
        let (path, _dir) = medium(SeedKind::NocloudVfat);
        let image = path.to_string_lossy();
        for (name, expected) in [
            ("::/user-data", "hostname: cow"),
            ("::/meta-data", "instance-id"),
        ] {
            let said =
                String::from_utf8(run_tool("mtype", &["-i", &image, name]).unwrap()).unwrap();
            assert!(said.contains(expected), "{name}: {said}");
        }
        let said = String::from_utf8(
            run_tool("blkid", &["-p", "-s", "LABEL", "-o", "value", &*image]).unwrap(),
        )
        .unwrap();
        assert_eq!(said.trim(), "CIDATA");
    }

    #[test]
    fn a_config_drive_cd_is_labelled_and_has_the_openstack_tree() {
        let (path, dir) = medium(SeedKind::ConfigDriveIso);
        let image = path.to_string_lossy();
        let said = String::from_utf8(
            run_tool("blkid", &["-p", "-s", "LABEL", "-o", "value", &*image]).unwrap(),
        )
        .unwrap();
        assert_eq!(said.trim(), "config-2");
        let out = dir.path().join("out");
        run_tool(
            "xorriso",
            &[
                "-osirrox",
                "on",
                "-indev",
                &*image,
                "-extract",
                "/",
                &out.to_string_lossy(),
            ],
        )
        .unwrap();
        let text = fs::read_to_string(out.join("openstack/latest/user_data")).unwrap();
        assert!(text.contains("hostname: cow"), "{text}");
    }
}
