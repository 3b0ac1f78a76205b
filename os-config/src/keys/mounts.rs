//! `mounts` and `swap` of a cloud-config.
//!
//! Keys as in cloud-init's documentation of "Mounts", which accepts all that RancherOS accepted: the last fields of
//! fstab(5) may be missing.

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

pub(crate) fn mounts(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<Mount> {
    let items = reader.items("mounts", findings).into_iter().enumerate();
    items
        .filter_map(|(i, item)| {
            let path = format!("mounts[{i}]");
            mount(item)
                .or_else(|| findings.mismatch(&path, "[device, target, type, options]", item))
        })
        .collect()
}

fn mount(item: &Value) -> Option<Mount> {
    let fields = item.as_sequence()?;
    let field = |index: usize| match fields.get(index) {
        None | Some(Value::Null) => Some(String::new()),
        Some(value) => scalar::text(value),
    };
    let or = |text: String, usual: &str| {
        if text.is_empty() {
            usual.to_owned()
        } else {
            text
        }
    };
    let mount = Mount {
        device: field(0)?,
        target: field(1)?,
        fstype: or(field(2)?, "auto"),
        options: or(field(3)?, "defaults"),
    };
    let fits = (2..=6).contains(&fields.len())
        && !mount.device.is_empty()
        && (mount.target.starts_with('/') || mount.is_swap());
    fits.then_some(mount)
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
pub(crate) fn grow_state(reader: &mut Reader<'_>, findings: &mut Findings) -> bool {
    let asked_for = reader.value("growpart").is_some();
    let mut section = reader.section("growpart", findings);
    let mode = section.text("mode", findings);
    let devices = section.list("devices", findings);
    section.accept_without_effect("ignore_growroot_disabled");
    section.finish(findings);
    let is_off = matches!(mode.as_deref(), Some("off" | "false" | "no"));
    let others: Vec<&String> = devices.iter().filter(|device| *device != "/").collect();
    if let Some(other) = others.first() {
        let found = Value::String((*other).clone());
        let expected = "/, which is the state filesystem; another disk is rancher.resize_device";
        findings.mismatch::<()>("growpart.devices", expected, &found);
    }
    let by_growpart = asked_for && !is_off && (devices.is_empty() || others.len() < devices.len());
    let resize = reader.text("resize_rootfs", findings);
    by_growpart || matches!(resize.as_deref(), Some("true" | "yes" | "on" | "noblock"))
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
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::{Mount, bytes};
    use crate::config::read;

    #[test]
    fn fields_may_be_missing_at_the_end() {
        let (config, problems) = read(
            "mounts:\n- [/dev/vdb, /mnt/s]\n- [LABEL=SWAP, '', swap, '']\n- [swap, null, swap]\n\
             - [/a, /b, none, bind]\n- ['h:/x', /mnt/n, nfs4, noatime, '0', '0']\n",
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
                "/a /b none bind false",
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
    fn keys_that_grow_the_state_filesystem() {
        for (text, expected, problems) in [
            (
                "growpart: {mode: auto, devices: [/], ignore_growroot_disabled: false}",
                true,
                0,
            ),
            ("growpart: {mode: off}", false, 0),
            ("growpart: {mode: \"off\"}\nresize_rootfs: false", false, 0),
            ("resize_rootfs: noblock", true, 0),
            ("growpart: {devices: [/dev/vdb1]}", false, 1),
            ("hostname: x", false, 0),
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
            ("1.5G", None),
            ("99999999T", None),
            ("", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
