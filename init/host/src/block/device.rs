//! Finds block devices by name, label or UUID.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use disk::superblock::{
    self, EXT_BYTES, EXT_COPIES, PROBE_BYTES, Superblock, has_partition_table, recognise,
    recognise_ext_copy,
};

use crate::process::deadline;

/// The limit for a disk's answer. A drive may have to spin up first.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

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
            let superblock = PROBES.superblock_of(&node, read_superblock)?;
            Some(Device { node, superblock })
        })
        .collect()
}

/// The nodes of disks that this process has asked and that have not answered yet.
pub fn silent_nodes() -> Vec<PathBuf> {
    PROBES.silent_nodes()
}

/// The disks that did not answer in time.
static PROBES: Probes = Probes(Mutex::new(BTreeMap::new()));

struct Probes(Mutex<BTreeMap<PathBuf, Slow>>);

/// A disk that did not answer in time.
enum Slow {
    Waiting,
    Answered(Option<Superblock>),
}

impl Probes {
    /// Reads the superblock of a disk. A dying disk can block a reader for ever: it is left out, and is not asked a
    /// second time. A late answer counts from then on.
    fn superblock_of(
        &'static self,
        node: &Path,
        read: fn(&Path) -> Option<Superblock>,
    ) -> Option<Superblock> {
        match self.slow().get(node) {
            Some(Slow::Waiting) => return None,
            Some(Slow::Answered(found)) => return found.clone(),
            None => {}
        }
        self.slow().insert(node.to_owned(), Slow::Waiting);
        let (asked, late) = (node.to_owned(), node.to_owned());
        let keep = move |found| drop(self.slow().insert(late, Slow::Answered(found)));
        let Some(found) = deadline::within(PROBE_TIMEOUT, move || read(&asked), keep) else {
            log::warn!("{} does not answer", node.display());
            return None;
        };
        self.slow().remove(node);
        found
    }

    fn silent_nodes(&self) -> Vec<PathBuf> {
        let slow = self.slow();
        let silent = slow
            .iter()
            .filter(|(_, disk)| matches!(disk, Slow::Waiting));
        silent.map(|(node, _)| node.clone()).collect()
    }

    fn slow(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Slow>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads and recognises the filesystem of `device`; `None` if unreadable or unknown.
///
/// A damaged superblock of ext4 hides neither filesystem nor label: its copies are looked at.
pub fn read_superblock(device: &Path) -> Option<Superblock> {
    let mut file = File::open(device).ok()?;
    let mut bytes = Vec::with_capacity(PROBE_BYTES);
    let read = (&mut file).take(PROBE_BYTES as u64).read_to_end(&mut bytes);
    if read.is_ok()
        && let Some(found) = recognise(&bytes)
    {
        return Some(found);
    }
    if has_partition_table(&bytes) {
        return None;
    }
    EXT_COPIES.into_iter().find_map(|copy| {
        let mut bytes = [0; EXT_BYTES];
        file.read_exact_at(&mut bytes, copy).ok()?;
        recognise_ext_copy(&bytes, copy)
    })
}

/// Whether the kernel has recorded an error in the ext4 filesystem on `device`. A disk that does not answer has none.
pub fn has_recorded_error(device: &Path) -> bool {
    let device = device.to_owned();
    let read = move || {
        let mut bytes = [0; 2 * EXT_BYTES];
        let file = File::open(device)?;
        file.read_exact_at(&mut bytes, 0)?;
        std::io::Result::Ok(superblock::has_recorded_error(&bytes))
    };
    let found = deadline::within(PROBE_TIMEOUT, read, drop);
    found.and_then(Result::ok).unwrap_or(false)
}

/// The name of the disk that holds `node`: the disk of a partition, else the node itself.
pub fn disk_of(root: &Path, node: &Path) -> Option<String> {
    let name = node.strip_prefix("/dev").ok()?.to_str()?.replace('/', "!");
    let entry = root.join("sys/class/block").join(&name);
    if !entry.join("partition").exists() {
        return Some(name);
    }
    let whole = entry.canonicalize().ok()?;
    let disk = whole.parent()?.file_name()?;
    Some(disk.to_str()?.to_owned())
}

/// Whether people carry the medium of `node`: a disk on USB, a memory card, or a disk that calls itself removable. A CD
/// does not count, and neither does memory that is soldered in.
pub fn is_removable(root: &Path, node: &Path) -> bool {
    let Some(disk) = disk_of(root, node) else {
        return false;
    };
    if disk.starts_with("sr") {
        return false;
    }
    let entry = root.join("sys/class/block").join(&disk);
    let read = |name: &str| std::fs::read_to_string(entry.join(name)).unwrap_or_default();
    let is_on_usb = entry.canonicalize().is_ok_and(|path| {
        let mut parts = path.components();
        parts.any(|part| part.as_os_str().to_string_lossy().starts_with("usb"))
    });
    is_on_usb || read("removable").trim() == "1" || read("device/type").trim() == "SD"
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
    use super::{
        DeviceName, Probes, Slow, disk_of, has_recorded_error, is_removable, read_superblock,
    };
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::{FileExt, symlink};
    use std::path::Path;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[expect(clippy::disallowed_methods, reason = "a test is not PID 1")]
    #[test]
    fn a_copy_stands_for_a_damaged_superblock() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        let file = fs::File::create(&disk).unwrap();
        // Filesystems of less than 512 MB have blocks of 1 KiB.
        for megabytes in [64, 600] {
            file.set_len(0).unwrap();
            file.set_len(megabytes << 20).unwrap();
            let made = std::process::Command::new("mke2fs")
                .args(["-q", "-F", "-t", "ext4", "-L", "RANCHER_STATE"])
                .arg(&disk)
                .status();
            assert!(made.unwrap().success());
            let whole = read_superblock(&disk).unwrap();
            assert_eq!(whole.label, "RANCHER_STATE");
            file.write_all_at(&[0; 4096], 0).unwrap();
            assert_eq!(read_superblock(&disk), Some(whole), "{megabytes} MB");
            // What lies behind a partition table belongs to the partitions.
            file.write_all_at(&[0x55, 0xAA], 510).unwrap();
            assert_eq!(read_superblock(&disk), None);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test is not PID 1")]
    #[test]
    fn an_error_that_the_kernel_has_recorded_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("disk");
        fs::File::create(&disk).unwrap().set_len(8 << 20).unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let mut command = std::process::Command::new(program);
            let done = command.args(arguments).arg(&disk).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        run("mke2fs", &["-q", "-F", "-t", "ext4"]);
        assert!(!has_recorded_error(&disk));
        run("debugfs", &["-w", "-R", "set_super_value state 3"]);
        assert!(has_recorded_error(&disk));
        assert!(!has_recorded_error(&folder.path().join("missing")));
    }

    #[test]
    fn a_disk_that_hangs_is_asked_once() {
        // A pipe without a writer blocks a reader, as a dead disk does.
        fn read(node: &Path) -> Option<disk::superblock::Superblock> {
            let bytes = fs::read(node).ok()?;
            ASKED.fetch_add(1, Ordering::Relaxed);
            assert_eq!(bytes, b"");
            None
        }
        static ASKED: AtomicU32 = AtomicU32::new(0);
        static PROBES: Probes = Probes(Mutex::new(BTreeMap::new()));
        let folder = tempfile::tempdir().unwrap();
        let node = folder.path().join("sda");
        nix::unistd::mkfifo(&node, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for _ in 0..20 {
            assert_eq!(PROBES.superblock_of(&node, read), None);
        }
        assert_eq!(PROBES.silent_nodes(), std::slice::from_ref(&node));
        // The disk answers late.
        drop(fs::File::options().write(true).open(&node).unwrap());
        while !matches!(PROBES.slow().get(&node), Some(Slow::Answered(None))) {
            std::thread::yield_now();
        }
        assert_eq!(PROBES.superblock_of(&node, read), None);
        assert!(PROBES.silent_nodes().is_empty());
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_people_carry_is_removable() {
        let folder = tempfile::tempdir().unwrap();
        let class = folder.path().join("sys/class/block");
        fs::create_dir_all(&class).unwrap();
        for (name, bus, file, content, expected) in [
            ("sda", "pci0/ata1", "removable", "0", false),
            ("sdb", "pci0/usb1/1-1", "removable", "0", true),
            ("sdc", "pci0/ata2", "removable", "1", true),
            ("sr0", "pci0/usb1/1-2", "removable", "1", false),
            ("vda", "pci0/virtio0", "removable", "0", false),
            ("mmcblk0", "platform/mmc0", "device/type", "MMC", false),
            ("mmcblk1", "platform/mmc1", "device/type", "SD", true),
        ] {
            let device = folder
                .path()
                .join("sys/devices")
                .join(bus)
                .join("block")
                .join(name);
            fs::create_dir_all(device.join("device")).unwrap();
            fs::write(device.join(file), format!("{content}\n")).unwrap();
            symlink(&device, class.join(name)).unwrap();
            let node = Path::new("/dev").join(name);
            assert_eq!(is_removable(folder.path(), &node), expected, "{name}");
        }
    }

    #[test]
    fn a_partition_is_on_its_disk() {
        let root = tempfile::tempdir().unwrap();
        let devices = root.path().join("sys/devices/pci/block/sda");
        fs::create_dir_all(devices.join("sda1")).unwrap();
        fs::write(devices.join("sda1/partition"), "1\n").unwrap();
        let class = root.path().join("sys/class/block");
        fs::create_dir_all(&class).unwrap();
        symlink(&devices, class.join("sda")).unwrap();
        symlink(devices.join("sda1"), class.join("sda1")).unwrap();
        for (node, expected) in [
            ("/dev/sda", Some("sda")),
            ("/dev/sda1", Some("sda")),
            ("/dev/sr0", Some("sr0")),
            ("tmpfs", None),
        ] {
            let disk = disk_of(root.path(), Path::new(node));
            assert_eq!(disk.as_deref(), expected, "{node}");
        }
    }

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
