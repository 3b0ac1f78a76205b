//! Folders that the host shares with the machine by virtio (9p), each with a tag. A config drive can be one, as in
//! RancherOS.

use std::fs;
use std::path::{Path, PathBuf};

use disk::superblock::Superblock;
use host::block::Device;
use host::step::Step;

/// The filesystem's name.
pub(super) const FSTYPE: &str = "9p";
/// The mount options that it needs.
pub(super) const OPTIONS: &str = "trans=virtio,version=9p2000.L";
const DEVICES: &str = "sys/bus/virtio/devices";
/// The number of the device in the standard of virtio.
const TRANSPORT: &str = "0x0009";
/// The drivers: of the device, and of the filesystem.
const MODULES: [&str; 2] = ["9pnet_virtio", "9p"];

/// The shares below `root`, as devices with their tags for labels. Their drivers are loaded first, because udev starts
/// later.
pub(super) fn find(root: &Path) -> Vec<Device> {
    let transports = transports(root);
    if transports.is_empty() {
        return Vec::new();
    }
    for name in MODULES {
        let step = Step::Module {
            name: name.to_owned(),
            parameters: String::new(),
        };
        if let Err(error) = host::perform::run_step(&step) {
            eprintln!("ros sysinit: {error:#}");
        }
    }
    let tags = transports.iter().filter_map(|folder| tag(folder));
    tags.map(|tag| Device {
        node: tag.clone().into(),
        superblock: Superblock {
            fstype: FSTYPE,
            label: tag,
            uuid: String::new(),
        },
    })
    .collect()
}

/// The folders of the devices, sorted.
fn transports(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(DEVICES)).into_iter().flatten();
    let folders = entries.flatten().map(|entry| entry.path());
    let is_transport = |folder: &PathBuf| {
        let kind = fs::read_to_string(folder.join("device")).unwrap_or_default();
        kind.trim() == TRANSPORT
    };
    let mut found: Vec<PathBuf> = folders.filter(is_transport).collect();
    found.sort();
    found
}

/// The tag of a share; the driver ends it with a zero byte.
fn tag(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join("mount_tag")).ok()?;
    let tag = text.trim_end_matches(['\0', '\n']);
    (!tag.is_empty()).then(|| tag.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{find, tag, transports};

    #[test]
    fn shares_are_found_by_their_tags() {
        let root = tempfile::tempdir().unwrap();
        let devices = root.path().join(super::DEVICES);
        for (name, kind, tag) in [
            ("virtio0", "0x0001", None),
            ("virtio2", "0x0009", Some("config-2\0")),
            ("virtio1", "0x0009", Some("herd")),
            // Its driver is not there.
            ("virtio3", "0x0009", None),
        ] {
            let folder = devices.join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("device"), format!("{kind}\n")).unwrap();
            if let Some(tag) = tag {
                fs::write(folder.join("mount_tag"), tag).unwrap();
            }
        }
        let found = transports(root.path());
        let tags: Vec<Option<String>> = found.iter().map(|folder| tag(folder)).collect();
        assert_eq!(
            tags,
            [Some("herd".to_owned()), Some("config-2".to_owned()), None]
        );
        // A machine without shares loads no driver.
        assert_eq!(find(Path::new("/nowhere")), []);
    }
}
