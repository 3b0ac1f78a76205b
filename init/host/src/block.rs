//! Finds block devices by name, label or UUID.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use disk::superblock::{PROBE_BYTES, Superblock, recognise};

/// How a user names a device: `LABEL=…`, `UUID=…` or a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceName {
    Label(String),
    Uuid(String),
    Path(PathBuf),
}

impl DeviceName {
    /// Reads a device name; quotes around a label are removed.
    pub fn parse(text: &str) -> Self {
        let unquoted = |rest: &str| rest.trim_matches('"').to_owned();
        if let Some(rest) = text.strip_prefix("LABEL=") {
            Self::Label(unquoted(rest))
        } else if let Some(rest) = text.strip_prefix("UUID=") {
            Self::Uuid(unquoted(rest).to_ascii_lowercase())
        } else {
            Self::Path(PathBuf::from(text))
        }
    }

    /// Whether `device` has this path, label or UUID.
    pub fn matches(&self, device: &Device) -> bool {
        match self {
            Self::Label(label) => *label == device.superblock.label,
            Self::Uuid(uuid) => *uuid == device.superblock.uuid.to_ascii_lowercase(),
            Self::Path(path) => *path == device.node,
        }
    }
}

impl std::fmt::Display for DeviceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Label(label) => write!(f, "LABEL={label}"),
            Self::Uuid(uuid) => write!(f, "UUID={uuid}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A block device with a filesystem on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The node, such as `/dev/sr0`.
    pub node: PathBuf,
    pub superblock: Superblock,
}

/// Every block device below `root` whose filesystem is known, in the order of their names.
///
/// RAM disks, loop devices and devices of size 0 (empty drives) are left out: opening an empty drive
/// can take seconds.
pub fn devices(root: &Path) -> Vec<Device> {
    let mut names: Vec<String> = std::fs::read_dir(root.join("sys/class/block"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with("ram") && !name.starts_with("loop"))
        .filter(|name| size_in_sectors(root, name) > 0)
        .collect();
    names.sort();
    names
        .into_iter()
        .filter_map(|name| {
            // The kernel writes `/` in a device name as `!`.
            let node = root.join("dev").join(name.replace('!', "/"));
            let superblock = read_superblock(&node)?;
            Some(Device { node, superblock })
        })
        .collect()
}

/// Reads and recognises the filesystem of `device`; `None` if unreadable or unknown.
pub fn read_superblock(device: &Path) -> Option<Superblock> {
    let mut bytes = Vec::with_capacity(PROBE_BYTES);
    File::open(device)
        .ok()?
        .take(PROBE_BYTES as u64)
        .read_to_end(&mut bytes)
        .ok()?;
    recognise(&bytes)
}

/// The devices below `root` that have the path, label or UUID `wanted`.
pub fn find(root: &Path, wanted: &DeviceName) -> Vec<Device> {
    devices(root)
        .into_iter()
        .filter(|device| wanted.matches(device))
        .collect()
}

fn size_in_sectors(root: &Path, name: &str) -> u64 {
    std::fs::read_to_string(root.join("sys/class/block").join(name).join("size"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::DeviceName;

    #[test]
    fn names_of_devices() {
        for (text, expected) in [
            (
                "LABEL=RANCHER_STATE",
                DeviceName::Label("RANCHER_STATE".into()),
            ),
            (
                "LABEL=\"with space\"",
                DeviceName::Label("with space".into()),
            ),
            ("UUID=ABCD-EF01", DeviceName::Uuid("abcd-ef01".into())),
            ("/dev/vda1", DeviceName::Path("/dev/vda1".into())),
            ("", DeviceName::Path("".into())),
        ] {
            assert_eq!(DeviceName::parse(text), expected, "{text:?}");
        }
    }
}
