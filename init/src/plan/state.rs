//! The choice of the filesystem for `/state`: the state disk, or memory on a machine without a state disk. Pure:
//! configuration and devices in, steps out.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use os_config::State;

use host::block::{Device, DeviceName};
use host::paths::{OEM, STATE};
use host::step::{Planned, Step, must};

/// Labels of state disks that need no configuration: RancherOS's, and boot2docker's of docker-machine.
const KNOWN_LABELS: [&str; 2] = ["LABEL=RANCHER_STATE", "LABEL=B2D_STATE"];

/// `rancher.state.wait`: as long as RancherOS waited for the device to resolve.
const STATE_DISK_TIMEOUT: Duration = Duration::from_secs(30);

/// The mount of a filesystem on `/state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateMount {
    /// The line of the boot phase shows this: the device's node, or `memory`.
    pub(crate) detail: String,
    /// The problem to report before the mount.
    pub(crate) problem: Option<String>,
    /// The filesystem whose driver is loaded before the mount.
    pub(crate) driver: Option<String>,
    pub(crate) mount: Step,
    /// `rancher.state.required`: memory does not replace this mount.
    required: bool,
}

impl StateMount {
    /// Memory in place of a mount that failed with `error`; `None` if the state disk is required or memory failed.
    pub(crate) fn fallback(&self, error: &str) -> Option<Self> {
        let is_disk = self.driver.is_some();
        (is_disk && !self.required).then(|| {
            Self::memory(Some(format!(
                "{error}; nothing of this session will be kept"
            )))
        })
    }

    fn disk(state: &State, device: &Device) -> Self {
        let node = device.node.display().to_string();
        let fstype = fstype(state, device);
        Self {
            detail: node.clone(),
            problem: None,
            driver: Some(fstype.clone()),
            mount: Step::Mount {
                source: node,
                target: STATE.into(),
                fstype,
                options: "noatime".to_owned(),
            },
            required: state.required,
        }
    }

    fn memory(problem: Option<String>) -> Self {
        Self {
            detail: "memory".to_owned(),
            problem,
            driver: None,
            mount: Step::Mount {
                source: "tmpfs".to_owned(),
                target: STATE.into(),
                fstype: "tmpfs".to_owned(),
                // Docker's images and volumes live here too; the kernel's default of half is too little.
                options: "mode=0755,size=80%".to_owned(),
            },
            required: false,
        }
    }
}

/// The state disk among `devices`: the device that the configuration names, else a known label.
pub(crate) fn find_disk<'a>(state: &State, devices: &'a [Device]) -> Option<&'a Device> {
    let names: Vec<DeviceName> = match configured_device(state) {
        Some(dev) => vec![DeviceName::parse(dev)],
        None => KNOWN_LABELS.into_iter().map(DeviceName::parse).collect(),
    };
    names
        .iter()
        .find_map(|name| devices.iter().find(|device| name.matches(device)))
}

/// Whether a state disk that is missing after `waited` is looked for once more (`rancher.state.wait`).
pub(crate) fn waits_for_disk(state: &State, waited: Duration) -> bool {
    state.wait && waited <= STATE_DISK_TIMEOUT
}

/// How `/state` is mounted, given the state disk that was found.
///
/// # Errors
/// The state disk is required and missing.
pub(crate) fn plan(state: &State, disk: Option<&Device>) -> Result<StateMount> {
    match (disk, configured_device(state)) {
        (Some(device), _) => Ok(StateMount::disk(state, device)),
        (None, Some(dev)) if state.required => anyhow::bail!(
            "looking for the state disk {dev}: there is no such device\n\
             hint: rancher.state.required=false boots without it, rancher.state.wait waits for it"
        ),
        (None, Some(dev)) => Ok(StateMount::memory(Some(format!(
            "the state disk {dev} was not found; nothing of this session will be kept"
        )))),
        (None, None) => Ok(StateMount::memory(None)),
    }
}

/// Shows a folder of the state filesystem (`rancher.state.directory`) in place of the whole.
pub(crate) fn directory(directory: &str) -> Vec<Planned> {
    // `..` must not lead out of the state filesystem.
    let inside: PathBuf = Path::new(directory)
        .components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .collect();
    let source = Path::new(STATE).join(inside);
    vec![
        must(Step::Folder {
            path: source.clone(),
            mode: 0o755,
        }),
        must(Step::Bind {
            source,
            target: STATE.into(),
        }),
    ]
}

/// Mounts the vendor's partition with `oem-config.yml`.
pub(crate) fn oem(device: &Device) -> Step {
    Step::Mount {
        source: device.node.display().to_string(),
        target: OEM.into(),
        fstype: device.superblock.fstype.to_owned(),
        options: "ro".to_owned(),
    }
}

/// `rancher.state.dev`, unless it is empty.
fn configured_device(state: &State) -> Option<&str> {
    state.dev.as_deref().filter(|dev| !dev.is_empty())
}

/// The filesystem type for the mount: the configured type, or the recognised type for `auto`.
fn fstype(state: &State, device: &Device) -> String {
    match state.fstype.as_deref() {
        None | Some("" | "auto") => device.superblock.fstype.to_owned(),
        Some(named) => named.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{StateMount, directory, find_disk, oem, plan, waits_for_disk};
    use disk::superblock::Superblock;
    use host::block::Device;
    use os_config::State;
    use std::time::Duration;

    fn device(node: &str, label: &str, fstype: &'static str) -> Device {
        Device {
            node: node.into(),
            superblock: Superblock {
                fstype,
                label: label.to_owned(),
                uuid: "abcd-ef01".to_owned(),
            },
        }
    }

    fn state(dev: Option<&str>, required: bool) -> State {
        State {
            dev: dev.map(str::to_owned),
            required,
            ..State::default()
        }
    }

    fn text(mount: &StateMount) -> String {
        let problem = mount.problem.as_deref().unwrap_or("-");
        format!("{} | {} | {problem}", mount.detail, mount.mount)
    }

    const MEMORY: &str = "memory | mount tmpfs on /state (tmpfs mode=0755,size=80%)";
    const LOST: &str = "nothing of this session will be kept";

    #[test]
    fn the_disk_is_the_named_one_or_a_known_label() {
        let devices = [
            device("/dev/sda1", "B2D_STATE", "ext4"),
            device("/dev/sdb1", "RANCHER_STATE", "xfs"),
            device("/dev/sdc1", "other", "btrfs"),
        ];
        for (dev, expected) in [
            (None, Some("/dev/sdb1")),
            (Some(""), Some("/dev/sdb1")),
            (Some("LABEL=B2D_STATE"), Some("/dev/sda1")),
            (Some("UUID=ABCD-EF01"), Some("/dev/sda1")),
            (Some("/dev/sdc1"), Some("/dev/sdc1")),
            (Some("LABEL=none"), None),
        ] {
            let found = find_disk(&state(dev, false), &devices);
            let node = found.map(|device| device.node.to_str().unwrap());
            assert_eq!(node, expected, "{dev:?}");
        }
        assert_eq!(
            find_disk(&state(None, false), &devices[..1]),
            Some(&devices[0])
        );
        assert_eq!(find_disk(&state(None, false), &devices[2..]), None);
    }

    #[test]
    fn the_first_of_equal_names_is_the_disk() {
        let devices = [
            device("/dev/sda1", "RANCHER_STATE", "ext4"),
            device("/dev/sdb1", "RANCHER_STATE", "xfs"),
        ];
        for dev in [None, Some("LABEL=RANCHER_STATE"), Some("UUID=abcd-ef01")] {
            let found = find_disk(&state(dev, true), &devices);
            assert_eq!(found, Some(&devices[0]), "{dev:?}");
        }
    }

    #[test]
    fn a_missing_disk_is_waited_for_if_the_configuration_says_so() {
        for (wait, millis, expected) in [
            (false, 0, false),
            (true, 0, true),
            (true, 30_000, true),
            (true, 30_001, false),
        ] {
            let state = State {
                wait,
                ..State::default()
            };
            let waits = waits_for_disk(&state, Duration::from_millis(millis));
            assert_eq!(waits, expected, "{wait} {millis} ms");
        }
    }

    #[test]
    fn a_disk_else_memory_becomes_the_state_filesystem() {
        let disk = device("/dev/vda", "RANCHER_STATE", "ext4");
        let missing = format!("{MEMORY} | the state disk LABEL=x was not found; {LOST}");
        for (found, dev, required, expected) in [
            (
                true,
                None,
                false,
                "/dev/vda | mount /dev/vda on /state (ext4 noatime) | -",
            ),
            (
                true,
                Some("/dev/vda"),
                true,
                "/dev/vda | mount /dev/vda on /state (ext4 noatime) | -",
            ),
            (false, None, false, &format!("{MEMORY} | -")),
            (false, None, true, &format!("{MEMORY} | -")),
            (false, Some(""), true, &format!("{MEMORY} | -")),
            (false, Some("LABEL=x"), false, &missing),
            (
                false,
                Some("LABEL=x"),
                true,
                "looking for the state disk LABEL=x: there is no such device\n\
                 hint: rancher.state.required=false boots without it, rancher.state.wait waits for it",
            ),
        ] {
            let planned = plan(&state(dev, required), found.then_some(&disk));
            let planned = planned.map_or_else(|error| error.to_string(), |mount| text(&mount));
            assert_eq!(planned, expected, "{found} {dev:?} {required}");
        }
    }

    #[test]
    fn memory_replaces_a_broken_disk_that_is_not_required() {
        let disk = device("/dev/vda", "RANCHER_STATE", "ext4");
        let broken = format!("{MEMORY} | mounting: bad superblock; {LOST}");
        for (found, required, expected) in [
            (true, false, Some(broken)),
            (true, true, None),
            (false, false, None),
        ] {
            let mount = plan(&state(None, required), found.then_some(&disk)).unwrap();
            let next = mount.fallback("mounting: bad superblock");
            assert_eq!(next.as_ref().map(text), expected, "{found} {required}");
            assert_eq!(next.and_then(|memory| memory.fallback("x")), None);
        }
    }

    #[test]
    fn the_filesystem_is_the_configured_one_unless_it_is_auto() {
        let disk = device("/dev/vda", "RANCHER_STATE", "ext4");
        for (fstype, expected) in [
            (None, "ext4"),
            (Some(""), "ext4"),
            (Some("auto"), "ext4"),
            (Some("xfs"), "xfs"),
        ] {
            let state = State {
                fstype: fstype.map(str::to_owned),
                ..State::default()
            };
            let mount = plan(&state, Some(&disk)).unwrap();
            assert_eq!(mount.driver.as_deref(), Some(expected));
            assert_eq!(
                mount.mount.to_string(),
                format!("mount /dev/vda on /state ({expected} noatime)")
            );
        }
    }

    #[test]
    fn a_folder_takes_the_place_of_the_state_filesystem() {
        for (folder, expected) in [("/sub/x", "/state/sub/x"), ("../../etc", "/state/etc")] {
            let lines: Vec<String> = directory(folder).iter().map(ToString::to_string).collect();
            assert_eq!(
                lines.last().unwrap(),
                &format!("must bind {expected} on /state")
            );
        }
    }

    #[test]
    fn the_vendors_partition_is_read_only() {
        assert_eq!(
            oem(&device("/dev/vdb1", "OEM", "ext4")).to_string(),
            "mount /dev/vdb1 on /usr/share/ros/oem (ext4 ro)"
        );
    }
}
