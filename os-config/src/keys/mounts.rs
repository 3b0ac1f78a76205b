//! `mounts` and `swap` of a cloud-config.
//!
//! Keys as in cloud-init's documentation of "Mounts", which accepts all that RancherOS accepted: the last fields of
//! fstab(5) may be missing.

use std::path::Path;

use serde_yaml::Value;

use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::yaml::scalar;

/// A filesystem or swap space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// A device, `LABEL=…`, `UUID=…`, a folder, or `server:/path`.
    pub device: String,
    pub target: String,
    /// `auto` by default.
    pub fstype: String,
    pub options: String,
}

impl Mount {
    /// Whether this is swap space and no filesystem.
    pub fn is_swap(&self) -> bool {
        self.fstype == "swap" || self.target == "swap"
    }

    /// Whether a server on the network has the filesystem.
    pub fn needs_network(&self) -> bool {
        const KINDS: [&str; 7] = [
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "ceph",
            "glusterfs",
            "fuse.sshfs",
        ];
        let has_option = self.options.split(',').any(|option| option == "_netdev");
        let is_share = self.device.starts_with("//")
            || !self.device.starts_with('/') && self.device.contains(":/");
        has_option || is_share || KINDS.contains(&self.fstype.as_str())
    }

    /// Whether User Docker sees the mount, so that containers can have it as a volume.
    fn is_seen_by_user_docker(&self) -> bool {
        is_shared(Path::new(&self.target))
    }
}

/// The folders that both the console and User Docker have, as their definitions say.
pub const SHARED_FOLDERS: [&str; 6] = ["/mnt", "/media", "/home", "/opt", "/var/lib", "/var/log"];

/// Whether a path is in a folder that both the console and User Docker have.
pub fn is_shared(path: &Path) -> bool {
    SHARED_FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// A file of swap space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    pub file: String,
    /// Bytes; `None` means the size of the memory, up to `largest`.
    pub size: Option<u64>,
    /// Bytes.
    pub largest: Option<u64>,
}

/// The entries, with the fields of `mount_default_fields` for missing fields. As in cloud-init, an entry without a
/// target takes away the earlier entries of its device.
pub(crate) fn mounts(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<Mount> {
    let defaults = default_fields(reader, findings);
    let mut mounts: Vec<Mount> = Vec::new();
    for (i, item) in reader.items("mounts", findings).into_iter().enumerate() {
        let path = format!("mounts[{i}]");
        let Some(fields) = fields(item, &defaults) else {
            findings.mismatch::<()>(&path, EXPECTED, item);
            continue;
        };
        let mut mount = mount(fields);
        let is_removal = mount.target.is_empty() && !mount.is_swap() && !mount.device.is_empty();
        if is_removal {
            let before = mounts.len();
            mounts.retain(|earlier| earlier.device != device_path(&mount.device));
            let is_disk = mount.device.contains(['/', '=']);
            if is_disk && mounts.len() == before {
                findings.mismatch::<()>(&path, EXPECTED, item);
            }
        } else if mount.device.is_empty() || !(mount.target.starts_with('/') || mount.is_swap()) {
            findings.mismatch::<()>(&path, EXPECTED, item);
        } else if is_clouds_name(&mount.device) {
            findings.not_done(&path, "name the disk itself: /dev/…, LABEL=… or UUID=…");
        } else {
            mount.device = device_path(&mount.device);
            if !mount.is_swap() && !mount.is_seen_by_user_docker() {
                let text = format!(
                    "User Docker does not see {}, and containers find an empty folder there (hint: mount it below {})",
                    mount.target,
                    SHARED_FOLDERS.join(", ")
                );
                findings.warning(path, text);
            }
            mounts.push(mount);
        }
    }
    mounts
}

const EXPECTED: &str = "[device, target, type, options]";
/// The fields of fstab(5).
const MOST_FIELDS: usize = 6;

/// The texts of an entry; null is an empty text.
fn fields(item: &Value, defaults: &[String]) -> Option<Vec<String>> {
    let fields = item.as_sequence()?;
    let text = |value: &Value| match value {
        Value::Null => Some(String::new()),
        _ => scalar::text(value),
    };
    let mut texts = fields.iter().map(text).collect::<Option<Vec<String>>>()?;
    if texts.is_empty() || texts.len() > MOST_FIELDS {
        return None;
    }
    texts.resize(MOST_FIELDS, String::new());
    for (text, default) in texts.iter_mut().zip(defaults) {
        if text.is_empty() {
            text.clone_from(default);
        }
    }
    Some(texts)
}

fn mount(fields: Vec<String>) -> Mount {
    let mut fields = fields.into_iter();
    let mut or = |usual: &str| {
        let field = fields.next().filter(|text| !text.is_empty());
        field.unwrap_or_else(|| usual.to_owned())
    };
    Mount {
        device: or(""),
        target: or(""),
        fstype: or("auto"),
        options: or("defaults"),
    }
}

/// `mount_default_fields`: the fields of entries that leave them out.
fn default_fields(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<String> {
    let items = reader.items("mount_default_fields", findings).into_iter();
    let texts = items.map(|item| scalar::text(item).unwrap_or_default());
    let mut texts: Vec<String> = texts.collect();
    // An entry always has its own device and target.
    texts.iter_mut().take(2).for_each(String::clear);
    texts
}

/// The path of a disk that is named without its folder: `vdb`, `sda1`, `nvme0n1p1`.
fn device_path(name: &str) -> String {
    let is_disk = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            let letters = rest.trim_end_matches(|c: char| c.is_ascii_digit());
            (1..=2).contains(&letters.len())
                && letters.bytes().all(|byte| byte.is_ascii_lowercase())
        })
    };
    let is_numbered = |prefix: &str| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_digit()) && !rest.contains('/')
        })
    };
    let is_known = ["sd", "vd", "hd", "xvd"].into_iter().any(is_disk)
        || ["nvme", "mmcblk", "md", "dm-"].into_iter().any(is_numbered);
    match is_known {
        true => format!("/dev/{name}"),
        false => name.to_owned(),
    }
}

/// Whether a device is a cloud's name of a disk, which only the cloud's metadata explains.
fn is_clouds_name(device: &str) -> bool {
    let is_numbered = |prefix: &str| {
        let rest = device.strip_prefix(prefix);
        rest.is_some_and(|rest| {
            rest.bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
    };
    ["ephemeral", "ebs"].into_iter().any(is_numbered) || matches!(device, "ami" | "root")
}

pub(crate) fn swap(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<Swap> {
    reader.value("swap")?;
    let mut section = reader.section("swap", findings);
    let file = section.text("filename", findings);
    let swap = Swap {
        file: file.unwrap_or_else(|| "/var/lib/swapfile".to_owned()),
        size: size(&mut section, "size", findings),
        largest: size(&mut section, "maxsize", findings),
    };
    section.finish(findings);
    if !swap.file.starts_with('/') {
        return findings.mismatch(
            "swap.filename",
            "an absolute path",
            &Value::String(swap.file),
        );
    }
    // In cloud-init, 0 means no swap file.
    (swap.size != Some(0)).then_some(swap)
}

/// `growpart` and `resize_rootfs`: on this system, only the state filesystem can grow.
pub(crate) fn grow_state(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<bool> {
    let asked_for = reader.value("growpart").is_some();
    let mut section = reader.section("growpart", findings);
    let mode = section.text("mode", findings);
    let devices = section.list("devices", findings);
    // The file that this key ignores is not looked at here.
    section.met("ignore_growroot_disabled");
    section.finish(findings);
    let is_off = matches!(mode.as_deref(), Some("off" | "false" | "no"));
    let others: Vec<&String> = devices.iter().filter(|device| *device != "/").collect();
    if !others.is_empty() {
        let instead =
            "only the state filesystem, `/`, grows; `rancher.resize_device` is for another disk";
        findings.not_done("growpart.devices", instead);
    }
    if let Some(mode) = &mode
        && !is_off
        && !matches!(mode.as_str(), "auto" | "growpart" | "gpart")
    {
        let found = Value::String(mode.clone());
        findings.mismatch::<()>("growpart.mode", "auto or off", &found);
    }
    let by_growpart = asked_for && !is_off && (devices.is_empty() || others.len() < devices.len());
    let resize = reader.text("resize_rootfs", findings);
    if let Some(text) = &resize
        && text != "noblock"
        && scalar::boolean(text).is_none()
    {
        let found = Value::String(text.clone());
        findings.mismatch::<()>("resize_rootfs", "true, false or noblock", &found);
    }
    let by_resize = matches!(resize.as_deref(), Some("true" | "yes" | "on" | "noblock"));
    (asked_for || resize.is_some()).then_some(by_growpart || by_resize)
}

/// Bytes, or a number with a unit: `512M`, `2G`. `auto` gives `None`.
fn size(reader: &mut Reader<'_>, key: &'static str, findings: &mut Findings) -> Option<u64> {
    let text = reader.text(key, findings)?;
    if text == "auto" {
        return None;
    }
    bytes(&text).or_else(|| {
        let path = reader.path_of(key);
        findings.mismatch(
            &path,
            "a size such as 512M or 2G, or auto",
            &Value::String(text),
        )
    })
}

fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().trim_end_matches(['B', 'b', 'i']);
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..)?.to_ascii_uppercase().as_str() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1_u64 << 40,
        _ => return None,
    };
    match digits.split_once('.') {
        None => digits.parse::<u64>().ok()?.checked_mul(factor),
        // cloud-init takes a part of a unit: 1.5G.
        Some((whole, part)) => {
            let whole: u64 = if whole.is_empty() {
                0
            } else {
                whole.parse().ok()?
            };
            let tenths = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
            let part = part
                .parse::<u64>()
                .ok()?
                .checked_mul(factor)?
                .checked_div(tenths)?;
            whole.checked_mul(factor)?.checked_add(part)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mount, bytes};
    use crate::config::read;

    #[test]
    fn fields_may_be_missing_at_the_end() {
        let (config, problems) = read(
            "mounts:\n- [/dev/vdb, /mnt/s]\n- [LABEL=SWAP, '', swap, '']\n- [swap, null, swap]\n\
             - [/a, /opt/b, none, bind]\n- ['h:/x', /mnt/n, nfs4, noatime, '0', '0']\n",
        );
        assert_eq!(problems, [""; 0]);
        let short: Vec<String> = config
            .mounts
            .iter()
            .map(|m| {
                format!(
                    "{} {} {} {} {}",
                    m.device,
                    m.target,
                    m.fstype,
                    m.options,
                    m.is_swap()
                )
            })
            .collect();
        assert_eq!(
            short,
            [
                "/dev/vdb /mnt/s auto defaults false",
                "LABEL=SWAP  swap defaults true",
                "swap  swap defaults true",
                "/a /opt/b none bind false",
                "h:/x /mnt/n nfs4 noatime false",
            ]
        );
    }

    #[test]
    fn wrong_mounts_are_reported() {
        let (config, problems) =
            read("mounts: [[/dev/vdb], [a, relative], {a: b}, ['', /mnt/x], [[a], /b]]\n");
        assert_eq!(config.mounts, [] as [Mount; 0]);
        assert_eq!(problems.len(), 5, "{problems:?}");
    }

    #[test]
    fn entries_in_cloud_inits_forms() {
        for (text, expected, problems) in [
            (
                "mounts: [[ephemeral0], [swap, null], [vdb, /mnt/x]]",
                "/dev/vdb>/mnt/x:auto:defaults",
                0,
            ),
            (
                "mounts: [[xvdb1, /mnt/a], [nvme0n1p1, /mnt/b]]",
                "/dev/xvdb1>/mnt/a:auto:defaults /dev/nvme0n1p1>/mnt/b:auto:defaults",
                0,
            ),
            ("mounts: [[/dev/vdb, /mnt/a], [/dev/vdb, null]]", "", 0),
            ("mounts: [[sdc, /mnt/a], [sdc]]", "", 0),
            (
                "mounts: [['server:/x', /mnt/a], [vdata, /mnt/b, 9p]]",
                "server:/x>/mnt/a:auto:defaults vdata>/mnt/b:9p:defaults",
                0,
            ),
            ("mounts: [[ephemeral0, /mnt]]", "", 1),
            (
                "mount_default_fields: [x, y, ext4, noatime]\nmounts: [[LABEL=a, /mnt/a], [LABEL=b, /mnt/b, xfs], [c]]",
                "LABEL=a>/mnt/a:ext4:noatime LABEL=b>/mnt/b:xfs:noatime",
                0,
            ),
        ] {
            let (config, found) = read(text);
            let mounts = config.mounts.iter();
            let mounts =
                mounts.map(|m| format!("{}>{}:{}:{}", m.device, m.target, m.fstype, m.options));
            assert_eq!(mounts.collect::<Vec<_>>().join(" "), expected, "{text}");
            assert_eq!(found.len(), problems, "{text}: {found:?}");
        }
    }

    #[test]
    fn keys_that_grow_the_state_filesystem() {
        for (text, expected, problems) in [
            (
                "growpart: {mode: auto, devices: [/], ignore_growroot_disabled: false}",
                Some(true),
                0,
            ),
            ("growpart: {mode: off}", Some(false), 0),
            (
                "growpart: {mode: \"off\"}\nresize_rootfs: false",
                Some(false),
                0,
            ),
            ("resize_rootfs: noblock", Some(true), 0),
            ("growpart: {devices: [/dev/vdb1]}", Some(false), 1),
            ("growpart: {devices: [/var]}", Some(false), 1),
            ("growpart: {mode: false}", Some(false), 0),
            ("growpart: {mode: fast}", Some(true), 1),
            ("resize_rootfs: maybe", Some(false), 1),
            ("hostname: x", None, 0),
        ] {
            let (config, found) = read(text);
            assert_eq!(config.grow_state, expected, "{text}");
            assert_eq!(found.len(), problems, "{text}: {found:?}");
        }
    }

    #[test]
    fn swap_files() {
        let (config, problems) = read("swap: {filename: /swap.img, size: auto, maxsize: 2G}");
        assert_eq!(problems, [""; 0]);
        let swap = config.swap.unwrap();
        assert_eq!(
            (swap.file.as_str(), swap.size, swap.largest),
            ("/swap.img", None, Some(2 << 30))
        );
        assert_eq!(read("swap: {size: 0}").0.swap, None);
        let (config, problems) = read("swap: {filename: x, size: much}");
        assert_eq!(config.swap, None);
        assert_eq!(
            problems,
            [
                "swap.size: expected a size such as 512M or 2G, or auto, found \"much\"",
                "swap.filename: expected an absolute path, found \"x\""
            ]
        );
        for (text, expected) in [
            ("1024", Some(1024)),
            ("512M", Some(512 << 20)),
            ("2GiB", Some(2 << 30)),
            ("1.5G", Some(3 << 29)),
            (".5M", Some(1 << 19)),
            ("1.G", None),
            ("512B", Some(512)),
            ("99999999T", None),
            ("", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn mounts_of_servers_need_the_network() {
        for (document, expected) in [
            ("[server:/export, /mnt/a, nfs]", true),
            ("['10.0.0.5:/home', /mnt/home, nfs4, '']", true),
            ("['//server/share', /mnt/a, cifs, 'guest']", true),
            ("['fe80::1:/x', /mnt/a]", true),
            ("[/dev/sda, /mnt/a, ext4, 'defaults,_netdev']", true),
            ("[LABEL=DATA, /mnt/a]", false),
            (
                "[/dev/disk/by-path/pci-0000:00:1f.2-ata-1, /mnt/a, ext4]",
                false,
            ),
            ("[/home/a:/b, /mnt/a, none, bind]", false),
            ("[overlay, /mnt/a, overlay, 'lowerdir=/a:/b']", false),
        ] {
            let (config, problems) = read(&format!("mounts: [{document}]"));
            assert_eq!(config.mounts[0].needs_network(), expected, "{document}");
            assert_eq!(problems, [""; 0], "{document}");
        }
    }

    #[test]
    fn a_mount_that_user_docker_does_not_see_is_told() {
        for (target, is_seen) in [
            ("/home/rancher/volumes", true),
            ("/var/lib/docker", true),
            ("/opt/data", true),
            ("/storage", false),
            ("/var", false),
            ("/optional", false),
        ] {
            let (_, problems) = read(&format!("mounts: [[/dev/vdb, {target}]]"));
            let told = format!("mounts[0]: User Docker does not see {target}, and ");
            let found = problems.iter().any(|problem| problem.starts_with(&told));
            assert_eq!(found, !is_seen, "{target}: {problems:?}");
        }
    }
}
