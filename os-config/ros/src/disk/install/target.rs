//! The disk that an installation goes to: its size and sectors, and why it may not be overwritten.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use host::block;
use host::paths::{DEVICES_SEEN, MEDIUM, OS_IMAGE, SLOT, STATE, below_root};
use host::proc::mount_table::{self, MountPoint, OF_INIT};

/// The limit for udev to see every device.
const DEVICES_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(100);
const SWAPS: &str = "proc/swaps";
const CLASS: &str = "sys/class/block";
/// The unit of the kernel's sizes of disks, whatever the disk's own sectors are.
const SIZE_UNIT: u64 = 512;
/// Beginnings of the names of devices that are no disks, with the reason why each is refused.
const NO_DISKS: [(&str, &str); 9] = [
    (
        "md",
        "it is a RAID of the kernel's, and no firmware starts from it (hint: name one of its disks)",
    ),
    (
        "dm-",
        "it is a device of LVM, LUKS or the like, and no firmware starts from it (hint: name its disk)",
    ),
    ("loop", "it is a file (hint: name the file itself)"),
    ("ram", "it is memory"),
    ("zram", "it is memory"),
    ("sr", "it is a CD drive"),
    ("fd", "it is a floppy drive"),
    (
        "nbd",
        "it is a disk of the network, and no firmware starts from it",
    ),
    ("mtd", "it is bare flash memory"),
];

/// The kind of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TargetKind {
    /// A disk, by the kernel's name.
    Disk(String),
    ImageFile,
}

/// A disk, or a file that becomes the image of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The node itself, where a link was given.
    pub(super) path: PathBuf,
    pub(super) kind: TargetKind,
    pub(super) bytes: u64,
    pub(super) sector_bytes: u64,
    /// What the disk calls itself; empty if it has no name.
    pub(super) model: String,
}

impl Target {
    /// Finds a target on the machine with its files below `root`.
    ///
    /// # Errors
    /// There is no such disk or file, or it may not be overwritten.
    pub(super) fn find(root: &Path, device: &Path) -> Result<Self> {
        let shown = device.display();
        let path = fs::canonicalize(device).with_context(|| format!("looking for {shown}"))?;
        let meta = fs::metadata(&path).with_context(|| format!("looking at {shown}"))?;
        if meta.is_file() {
            return Ok(Self {
                path,
                kind: TargetKind::ImageFile,
                bytes: meta.len(),
                sector_bytes: SIZE_UNIT,
                model: String::new(),
            });
        }
        ensure!(
            meta.file_type().is_block_device(),
            "{shown} is neither a disk nor a file"
        );
        let name = path.strip_prefix("/dev").ok().and_then(Path::to_str);
        let name = name.with_context(|| format!("{shown} is no node of /dev"))?;
        let facts = DiskFacts::read(root, &name.replace('/', "!"))?;
        if let Some(why) = facts.refusal() {
            bail!("{}: {why}", path.display());
        }
        let sector_bytes = block::sector_bytes(root, &facts.name);
        Ok(Self {
            path,
            bytes: facts.bytes,
            sector_bytes,
            model: facts.model,
            kind: TargetKind::Disk(facts.name),
        })
    }
}

/// Waits for the node of a disk until udev has seen every device: a script may run before the drivers of all disks are
/// loaded.
pub(super) fn wait_for(device: &Path) {
    let began = Instant::now();
    let is_late = || !device.exists() && !Path::new(DEVICES_SEEN).exists();
    if !device.starts_with("/dev") || !is_late() {
        return;
    }
    println!("waiting for {}", device.display());
    while is_late() && began.elapsed() < DEVICES_TIMEOUT {
        sleep(POLL_INTERVAL);
    }
}

/// The disks that may be overwritten, with their sizes.
pub(super) fn list(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root.join(CLASS))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let disks = names.iter().filter_map(|name| {
        let facts = DiskFacts::read(root, name).ok()?;
        let node = format!("/dev/{}", name.replace('!', "/"));
        let text = format!("{node}  {} {}", gigabytes(facts.bytes), facts.model);
        facts
            .refusal()
            .is_none()
            .then(|| text.trim_end().to_owned())
    });
    disks.collect()
}

/// A size for people.
pub(super) fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

/// What the kernel says of a disk.
#[derive(Clone, Debug, Default)]
struct DiskFacts {
    name: String,
    model: String,
    bytes: u64,
    is_read_only: bool,
    /// The disk that it is a partition of.
    whole: Option<String>,
    /// What uses the disk or a partition of it, as a sentence.
    uses: Vec<String>,
}

impl DiskFacts {
    fn read(root: &Path, name: &str) -> Result<Self> {
        let folder = root.join(CLASS).join(name);
        let read = |file: &str| {
            let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
            text.trim().to_owned()
        };
        let size = read("size");
        let size: u64 = size
            .parse()
            .with_context(|| format!("reading the size of {name}"))?;
        let node = Path::new("/dev").join(name.replace('!', "/"));
        let is_partition = folder.join("partition").exists();
        Ok(Self {
            name: name.to_owned(),
            model: read("device/model"),
            bytes: size * SIZE_UNIT,
            is_read_only: read("ro") == "1",
            whole: block::disk_of(root, &node).filter(|_| is_partition),
            uses: uses(root, name)?,
        })
    }

    fn refusal(&self) -> Option<String> {
        if let Some(whole) = &self.whole {
            return Some(format!(
                "it is a partition, and an installation takes a whole disk (hint: -d /dev/{whole})"
            ));
        }
        let kind = NO_DISKS.iter().find(|(prefix, _)| {
            let rest = self.name.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        });
        if let Some((_, why)) = kind {
            return Some((*why).to_owned());
        }
        if self.bytes == 0 {
            return Some("there is no medium in it".to_owned());
        }
        if self.is_read_only {
            return Some("it is write-protected".to_owned());
        }
        self.uses.first().cloned()
    }
}

/// What uses the disk `name`: mounts, swap space, and devices that are made of it.
fn uses(root: &Path, name: &str) -> Result<Vec<String>> {
    let mounts =
        mount_table::read(&root.join(below_root(OF_INIT))).context("reading the mounts")?;
    let is_on_disk = |node: &Path| block::disk_of(root, node).as_deref() == Some(name);
    let mut uses: Vec<String> = mounts
        .iter()
        .filter(|mount| is_on_disk(&mount.source))
        .map(describe_mount)
        .collect();
    // The mounts that the machine runs from say more than the others.
    uses.sort_by_key(|text| !text.starts_with(RUNS_FROM));
    let swaps = fs::read(root.join(SWAPS)).unwrap_or_default();
    let swaps = swaps
        .split(|byte| *byte == b'\n')
        .skip(1)
        .filter_map(|line| {
            let field = line.split(|byte| *byte == b' ').next()?;
            Some(mount_table::unescape(field))
        });
    uses.extend(swaps.filter(|node| is_on_disk(node)).map(|node| {
        let node = node.display();
        format!("{node} is swap space (hint: swapoff {node})")
    }));
    uses.extend(holders(&root.join(CLASS).join(name)));
    Ok(uses)
}

/// Begins the texts of mounts without which the machine cannot run.
const RUNS_FROM: &str = "the machine runs from it";

fn describe_mount(mount: &MountPoint) -> String {
    let (source, target) = (mount.source.display(), mount.target.display());
    let is_target = |path: &str| mount.target == Path::new(path);
    if is_target(STATE) {
        return format!(
            "{RUNS_FROM}: its state is on {source} (hint: `rancher.state.dev=LABEL=none` on the kernel line starts a machine \
             without it)"
        );
    }
    if [MEDIUM, SLOT, OS_IMAGE].into_iter().any(is_target) {
        return format!("{RUNS_FROM}: its system is on {source}");
    }
    format!("{source} is mounted on {target} (hint: umount {target})")
}

/// The devices that are made of a disk or of its partitions, such as a RAID.
fn holders(disk: &Path) -> Vec<String> {
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    };
    let children = names(disk).into_iter().map(|name| disk.join(name));
    let partitions = children.filter(|folder| folder.join("partition").exists());
    let folders = partitions.chain([disk.to_owned()]);
    let holders = folders.flat_map(|folder| names(&folder.join("holders")));
    holders
        .map(|name| format!("it is a part of {name} (hint: stop {name} first)"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use host::paths::below_root;
    use host::proc::mount_table::OF_INIT;

    use super::{CLASS, DiskFacts, SWAPS, Target, TargetKind, gigabytes, list};

    /// A machine with disks; `sda` has a partition.
    fn machine(mounts: &str, swaps: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let class = root.path().join(CLASS);
        fs::create_dir_all(&class).unwrap();
        for (name, sectors, read_only) in [
            ("sda", 8 << 21, "0"),
            ("sda/sda1", 1 << 21, "0"),
            ("vdb", 8 << 21, "0"),
            ("sdc", 8 << 21, "1"),
            ("sdd", 0, "0"),
            ("md0", 8 << 21, "0"),
            ("dm-3", 8 << 21, "0"),
            ("loop0", 8 << 21, "0"),
            ("sr0", 2 << 21, "0"),
            ("mmcblk0", 8 << 21, "0"),
        ] {
            let folder = root.path().join("sys/devices").join(name);
            fs::create_dir_all(folder.join("holders")).unwrap();
            fs::write(folder.join("size"), format!("{sectors}\n")).unwrap();
            fs::write(folder.join("ro"), format!("{read_only}\n")).unwrap();
            if name.contains('/') {
                fs::write(folder.join("partition"), "1\n").unwrap();
            }
            symlink(&folder, class.join(folder.file_name().unwrap())).unwrap();
        }
        fs::create_dir_all(root.path().join("proc/1")).unwrap();
        fs::write(root.path().join(below_root(OF_INIT)), mounts).unwrap();
        fs::write(root.path().join(SWAPS), swaps).unwrap();
        root
    }

    fn refusal(root: &Path, name: &str) -> Option<String> {
        DiskFacts::read(root, name).unwrap().refusal()
    }

    #[test]
    fn what_is_no_free_disk_is_refused() {
        let root = machine("", "");
        for (name, expected) in [
            ("sda", None),
            ("vdb", None),
            ("mmcblk0", None),
            ("sda1", Some("hint: -d /dev/sda)")),
            ("sdc", Some("write-protected")),
            ("sdd", Some("no medium")),
            ("md0", Some("RAID")),
            ("dm-3", Some("LVM")),
            ("loop0", Some("it is a file")),
            ("sr0", Some("CD drive")),
        ] {
            let why = refusal(root.path(), name);
            assert_eq!(why.is_some(), expected.is_some(), "{name}: {why:?}");
            let expected = expected.unwrap_or_default();
            assert!(why.is_none_or(|why| why.contains(expected)), "{name}");
        }
        let listed = [
            "/dev/mmcblk0  8.6 GB",
            "/dev/sda  8.6 GB",
            "/dev/vdb  8.6 GB",
        ];
        assert_eq!(list(root.path()), listed);
        assert!(DiskFacts::read(root.path(), "sdx").is_err());
    }

    #[test]
    fn a_disk_in_use_is_refused() {
        let mount =
            |source: &str, target: &str| format!("1 0 8:1 / {target} rw - ext4 {source} rw\n");
        let other = mount("/dev/sda1", "/mnt");
        for (mounts, swaps, expected) in [
            (other.clone(), "", "/dev/sda1 is mounted on /mnt"),
            (
                format!("{other}{}", mount("/dev/sda1", "/state")),
                "",
                "the machine runs from it: its state",
            ),
            (
                mount("/dev/sda", "/run/ros/medium"),
                "",
                "the machine runs from it: its system is on /dev/sda",
            ),
            (
                String::new(),
                "Filename Type Size Used Priority\n/dev/sda1   partition 1 0 -2\n",
                "/dev/sda1 is swap space",
            ),
        ] {
            let root = machine(&mounts, swaps);
            let why = refusal(root.path(), "sda").unwrap_or_default();
            assert!(why.starts_with(expected), "{why}");
            assert_eq!(refusal(root.path(), "vdb"), None);
        }
        let root = machine("", "");
        let holders = root.path().join("sys/devices/sda/sda1/holders");
        fs::create_dir(holders.join("dm-0")).unwrap();
        let why = refusal(root.path(), "sda").unwrap();
        assert!(why.starts_with("it is a part of dm-0"), "{why}");
    }

    #[test]
    fn a_file_is_the_image_of_a_disk() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("disk.img");
        fs::File::create(&file).unwrap().set_len(3 << 30).unwrap();
        let found = Target::find(folder.path(), &file).unwrap();
        assert_eq!(found.kind, TargetKind::ImageFile);
        assert_eq!((found.bytes, found.sector_bytes), (3 << 30, 512));
        for path in [
            folder.path(),
            &folder.path().join("none"),
            Path::new("/dev/null"),
        ] {
            assert!(Target::find(folder.path(), path).is_err(), "{path:?}");
        }
        assert_eq!(gigabytes(3 << 30), "3.2 GB");
    }
}
