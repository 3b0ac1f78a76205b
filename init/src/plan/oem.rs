//! The vendor's partition: which disk may be it, and its mount. Pure.

use std::path::Path;

use host::block::{Device, refusal};
use host::paths::OEM;
use host::problems::ProblemRecord;
use host::step::Step;
use os_config::Config;

use crate::plan::state_disk::look_options;

/// A disk with the vendor's label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) device: Device,
    /// The machine runs from this disk: its filesystem is as good as the others there.
    pub(crate) is_own: bool,
    /// People carry it, as they do a stick.
    pub(crate) is_removable: bool,
}

/// The vendor's partition, the machine's own disk first, and a problem for each disk that may not configure the machine:
/// the same rule as for data sources, because the vendor's configuration is root's too.
pub(crate) fn choose(
    candidates: Vec<Candidate>,
    config: &Config,
    is_first_boot: bool,
) -> (Option<Device>, Vec<ProblemRecord>) {
    let settings = &config.rancher.cloud_init;
    if settings.lock {
        return (None, Vec::new());
    }
    let mut problems = Vec::new();
    let mut chosen: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        let fstype = candidate.device.superblock.fstype;
        let why = refusal(fstype, candidate.is_removable, is_first_boot, settings);
        match why.filter(|_| !candidate.is_own) {
            Some(why) => problems.push(refused(&candidate.device, &why)),
            None => chosen.push(candidate),
        }
    }
    chosen.sort_by_key(|candidate| (!candidate.is_own, candidate.is_removable));
    let first = chosen.into_iter().next();
    (first.map(|candidate| candidate.device), problems)
}

fn refused(device: &Device, why: &str) -> ProblemRecord {
    let (node, label) = (device.node.display(), &device.superblock.label);
    let text = format!("the vendor's configuration, {label} on {node}, is not read: {why}");
    ProblemRecord::error("oem", "rancher.state.oem_dev", text)
}

/// Mounts the vendor's partition with `oem-config.yml`.
pub(crate) fn mount(device: &Device) -> Step {
    Step::Mount {
        source: device.node.display().to_string(),
        target: Path::new(OEM).into(),
        fstype: device.superblock.fstype.to_owned(),
        options: look_options(device.superblock.fstype).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Candidate, choose, mount};
    use disk::superblock::Superblock;
    use host::block::Device;
    use os_config::load::document;

    /// `name filesystem`; `own` is on the disk that the machine runs from, `usb` is a stick.
    fn candidate(text: &'static str) -> Candidate {
        let (name, fstype) = text.split_once(' ').unwrap();
        Candidate {
            device: Device {
                node: format!("/dev/{name}").into(),
                superblock: Superblock {
                    fstype,
                    label: "RANCHER_OEM".into(),
                    uuid: String::new(),
                },
            },
            is_own: name.starts_with("own"),
            is_removable: name.starts_with("usb"),
        }
    }

    #[test]
    fn the_vendors_partition_is_read_only() {
        assert_eq!(
            mount(&candidate("vdb1 ext4").device).to_string(),
            "mount /dev/vdb1 on /usr/share/ros/oem (ext4 ro,nosuid,nodev,noexec,noload)"
        );
    }

    #[test]
    fn the_vendors_disk_obeys_the_rule_of_data_sources() {
        for (settings, is_first_boot, disks, expected, refused) in [
            ("", true, &["vdb vfat"][..], Some("/dev/vdb"), 0),
            ("", false, &["vdb iso9660"], Some("/dev/vdb"), 0),
            // The kernel mounts no other filesystem for its label.
            ("", true, &["vdb ext4"], None, 1),
            (
                "filesystems: [ext4]",
                true,
                &["vdb ext4"],
                Some("/dev/vdb"),
                0,
            ),
            // The kernel mounts another partition of this disk anyway.
            ("", false, &["own2 ext4"], Some("/dev/own2"), 0),
            ("", true, &["usb vfat"], Some("/dev/usb"), 0),
            ("", false, &["usb vfat"], None, 1),
            ("removable: true", false, &["usb vfat"], Some("/dev/usb"), 0),
            (
                "",
                true,
                &["usb vfat", "vdb vfat", "own2 vfat"],
                Some("/dev/own2"),
                0,
            ),
            ("lock: true", true, &["own2 vfat", "vdb vfat"], None, 0),
            ("", true, &[], None, 0),
        ] {
            let text = format!("rancher: {{cloud_init: {{{settings}}}}}\n");
            let config = document(text.as_bytes()).unwrap();
            let all = disks.iter().map(|text| candidate(text));
            let (chosen, problems) = choose(all.collect(), &config, is_first_boot);
            let node = chosen.map(|device| device.node.display().to_string());
            assert_eq!(node.as_deref(), expected, "{settings} {disks:?}");
            assert_eq!(problems.len(), refused, "{settings} {problems:?}");
        }
    }
}
