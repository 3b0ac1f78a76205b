//! The choice of the filesystem for `/state`: the state disk, or memory on a machine without a state disk. Pure:
//! configuration and devices in, steps out.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use os_config::State;

use crate::plan::mounts::{PADDOCK_FOLDER, state_size};
use host::block::BusActivity;
use host::block::{Device, DeviceName};
use host::facts::HostFacts;
use host::paths::{OEM, STATE, STATE_RESERVE};
use host::step::{Planned, Step, may, must};

/// Labels of state disks that need no configuration: RancherOS's, and boot2docker's of docker-machine.
const KNOWN_LABELS: [&str; 2] = [DEFAULT_NAME, "LABEL=B2D_STATE"];
const DEFAULT_NAME: &str = "LABEL=RANCHER_STATE";

/// `rancher.state.wait`: as long as RancherOS waited for the device to resolve.
const STATE_DISK_TIMEOUT: Duration = Duration::from_secs(30);
/// Without `rancher.state.wait`: the limit for buses that do not become quiet.
const BUS_TIMEOUT: Duration = Duration::from_secs(10);
/// Buses are quiet when no device has said anything for so long. A USB disk says something each second until it is there.
const QUIET: Duration = Duration::from_secs(1);
/// The file on a state disk with the UUID of the machine that used the disk first.
const MACHINE_FILE: &str = "machine";
/// The mount of a disk whose [`MACHINE_FILE`] is read.
const CANDIDATE_MOUNT: &str = "/run/ros/state-candidate";

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
    /// The size of a state in memory.
    memory_size: String,
}

impl StateMount {
    /// Memory in place of a mount that failed with `error`; `None` if the state disk is required or memory failed.
    pub(crate) fn fallback(&self, error: &str) -> Option<Self> {
        let is_disk = self.driver.is_some();
        (is_disk && !self.required).then(|| {
            let problem = format!("{error}; nothing of this session will be kept");
            Self::memory(Some(problem), &self.memory_size)
        })
    }

    fn disk(state: &State, device: &Device, memory_size: String) -> Self {
        let node = device.node.display().to_string();
        let fstype = fstype(state, device);
        // A filesystem with errors is damaged further by every write. ext4's reserved blocks are root's by default; a
        // user that does not exist leaves them to programs with CAP_SYS_RESOURCE, which containers do not have.
        let options = if is_ext(&fstype) {
            "noatime,errors=remount-ro,resuid=4294967294"
        } else {
            "noatime"
        };
        Self {
            detail: node.clone(),
            problem: None,
            driver: Some(fstype.clone()),
            mount: Step::Mount {
                source: node,
                target: STATE.into(),
                fstype,
                options: options.to_owned(),
            },
            required: state.required,
            memory_size,
        }
    }

    fn memory(problem: Option<String>, size: &str) -> Self {
        Self {
            detail: "memory".to_owned(),
            problem,
            driver: None,
            mount: Step::Mount {
                source: "tmpfs".to_owned(),
                target: STATE.into(),
                fstype: "tmpfs".to_owned(),
                options: format!("mode=0755,size={size}"),
            },
            required: false,
            memory_size: size.to_owned(),
        }
    }
}

/// The devices that can be the state disk: those that the configuration names, else those of the first known label.
pub(crate) fn candidates(state: &State, devices: &[Device]) -> Vec<Device> {
    let names: Vec<DeviceName> = match configured_device(state) {
        Some(dev) => vec![DeviceName::parse(dev)],
        None => KNOWN_LABELS.into_iter().map(DeviceName::parse).collect(),
    };
    let matching = names.iter().map(|name| {
        let found = devices.iter().filter(|device| name.matches(device));
        found.cloned().collect::<Vec<Device>>()
    });
    let mut matching = matching.filter(|found| !found.is_empty());
    matching.next().unwrap_or_default()
}

/// A device that can be the state disk, with the facts that tell it from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) device: Device,
    /// It is on the disk of the OS image: an installation put both there.
    pub(crate) is_beside_image: bool,
    pub(crate) owner: Owner,
}

/// The machine that used a disk first, by the UUID on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    ThisMachine,
    Another,
    /// The disk is new, or it or the machine has no UUID.
    Unknown,
}

impl Owner {
    /// By the text on the disk and the machine's UUID.
    pub(crate) fn from_text(text: &str, uuid: &str) -> Self {
        match text.trim() {
            "" => Self::Unknown,
            found if found == uuid => Self::ThisMachine,
            _ => Self::Another,
        }
    }
}

/// The state disk, and a problem if more than one device could be it.
pub(crate) fn choose(candidates: Vec<Candidate>) -> Option<(Device, Option<String>)> {
    let is_only = |test: fn(&Candidate) -> bool| {
        let mut matching = candidates.iter().filter(|candidate| test(candidate));
        let first = matching.next()?;
        matching.next().is_none().then_some(first)
    };
    let certain = is_only(|_| true)
        .or_else(|| is_only(|candidate| candidate.is_beside_image))
        .or_else(|| is_only(|candidate| candidate.owner == Owner::ThisMachine));
    if let Some(certain) = certain {
        return Some((certain.device.clone(), None));
    }
    // The names of disks can change from boot to boot, their UUIDs cannot.
    let best = candidates
        .iter()
        .max_by_key(|candidate| {
            let is_of_machine = candidate.owner == Owner::ThisMachine;
            let facts = (candidate.is_beside_image, is_of_machine);
            (facts, std::cmp::Reverse(&candidate.device.superblock.uuid))
        })?
        .device
        .clone();
    let nodes: Vec<String> = candidates
        .iter()
        .map(|candidate| candidate.device.node.display().to_string())
        .collect();
    let problem = format!(
        "{} can each be the state disk; {} is used (hint: rancher.state.dev=UUID={} on the kernel line names it, or \
         take the other label away)",
        nodes.join(" and "),
        best.node.display(),
        best.superblock.uuid,
    );
    Some((best, Some(problem)))
}

/// Whether disks are looked for once more after `waited`: a missing disk until the buses are quiet, or longer with
/// `rancher.state.wait`. A single disk of another machine also waits for quiet buses: this machine's disk may come later.
pub(crate) fn looks_again(
    state: &State,
    found: &[Candidate],
    buses: BusActivity,
    waited: Duration,
) -> bool {
    let is_busy = buses.has_pending_storage || buses.quiet_for < QUIET;
    let is_expected = is_busy && waited <= BUS_TIMEOUT;
    match found {
        [] if state.wait => waited <= STATE_DISK_TIMEOUT,
        [] => is_expected,
        [only] => {
            let is_named = configured_device(state).is_some();
            let is_foreign = only.owner == Owner::Another && !only.is_beside_image;
            is_foreign && !is_named && is_expected
        }
        _ => false,
    }
}

/// Mounts a device in order to read whose it is. A journal is not replayed: the disk may be another machine's.
pub(crate) fn candidate(device: &Device) -> Step {
    let options = match device.superblock.fstype {
        "ext3" | "ext4" => "ro,noload",
        "xfs" => "ro,norecovery",
        _ => "ro",
    };
    Step::Mount {
        source: device.node.display().to_string(),
        target: CANDIDATE_MOUNT.into(),
        fstype: device.superblock.fstype.to_owned(),
        options: options.to_owned(),
    }
}

/// Mounts a state disk for the count of the rescue console's reboots, and returns the folder.
pub(crate) fn rescue_mount(device: &Device) -> (PathBuf, Step) {
    let step = Step::Mount {
        source: device.node.display().to_string(),
        target: CANDIDATE_MOUNT.into(),
        fstype: device.superblock.fstype.to_owned(),
        options: String::new(),
    };
    (CANDIDATE_MOUNT.into(), step)
}

/// The mount of [`candidate`], and the file in it with the UUID of its machine.
pub(crate) fn candidate_files() -> (PathBuf, PathBuf) {
    let mount = PathBuf::from(CANDIDATE_MOUNT);
    let file = mount.join(PADDOCK_FOLDER).join(MACHINE_FILE);
    (mount, file)
}

/// The first change of a mounted state disk: the reserve of a full disk is freed before anything is written.
pub(crate) fn reserve() -> Vec<Planned> {
    let folder = Step::Folder {
        path: Path::new(STATE).join(PADDOCK_FOLDER),
        mode: 0o755,
    };
    vec![may(folder), may(Step::Reserve(STATE_RESERVE.into()))]
}

/// A new state disk learns whose it is, so that another disk with the same label is told from it.
pub(crate) fn machine_file(uuid: Option<&str>) -> Vec<Planned> {
    let file = |uuid| Step::WriteIfMissing {
        path: Path::new(STATE).join(PADDOCK_FOLDER).join(MACHINE_FILE),
        content: format!("{uuid}\n"),
    };
    uuid.map(file).map(may).into_iter().collect()
}

/// The command lines that check a filesystem before its mount. Each follows if the one before it left errors.
pub(crate) fn checks(mount: &StateMount) -> Vec<Vec<String>> {
    let is_ext = mount.driver.as_deref().is_some_and(is_ext);
    let check = |how: &str| ["/usr/sbin/e2fsck", how, &mount.detail].map(str::to_owned);
    // `-p` mends what loses nothing. A machine without anybody beside it needs its disk, so `-y` mends the rest.
    let ways = if is_ext { &["-p", "-y"][..] } else { &[] };
    ways.iter().map(|how| check(how).to_vec()).collect()
}

/// What a check left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckResult {
    Clean,
    Mended,
    Broken,
}

impl CheckResult {
    /// By e2fsck's exit code; `None` if it was killed.
    pub(crate) fn of_exit_code(code: Option<i32>) -> Self {
        match code {
            Some(0) => Self::Clean,
            // 1: mended; 2: mended, and a mounted filesystem would need a reboot.
            Some(1..=3) => Self::Mended,
            _ => Self::Broken,
        }
    }
}

/// How `/state` is mounted, given the state disk that was found.
///
/// # Errors
/// The state disk is required and missing.
pub(crate) fn plan(
    state: &State,
    disk: Option<&Device>,
    machine: &HostFacts,
) -> Result<StateMount> {
    let size = state_size(machine);
    match (disk, configured_device(state)) {
        (Some(device), _) => Ok(StateMount::disk(state, device, size)),
        (None, dev) if state.required => anyhow::bail!(
            "looking for the state disk {}: there is no such device\n\
             hint: rancher.state.required=false boots without it, rancher.state.wait waits for it",
            dev.unwrap_or(DEFAULT_NAME),
        ),
        (None, dev) if dev.is_some() || state.wait => {
            let problem = format!(
                "the state disk {} was not found; nothing of this session will be kept",
                dev.unwrap_or(DEFAULT_NAME),
            );
            Ok(StateMount::memory(Some(problem), &size))
        }
        (None, _) => Ok(StateMount::memory(None, &size)),
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
        options: "ro,nosuid,nodev".to_owned(),
    }
}

fn is_ext(fstype: &str) -> bool {
    matches!(fstype, "ext2" | "ext3" | "ext4")
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
    use super::{
        Candidate, CheckResult, Owner, StateMount, candidates, checks, choose, directory,
        looks_again, oem, plan,
    };
    use disk::superblock::Superblock;
    use host::block::BusActivity;
    use host::block::Device;
    use host::facts::HostFacts;
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

    fn machine() -> HostFacts {
        HostFacts {
            memory_mib: 1100,
            available_mib: 1008,
            ..HostFacts::default()
        }
    }

    fn text(mount: &StateMount) -> String {
        let problem = mount.problem.as_deref().unwrap_or("-");
        format!("{} | {} | {problem}", mount.detail, mount.mount)
    }

    const MEMORY: &str = "memory | mount tmpfs on /state (tmpfs mode=0755,size=508m)";
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
            let found = candidates(&state(dev, false), &devices);
            let first = found.first().map(|found| found.node.to_str().unwrap());
            assert_eq!(first, expected, "{dev:?}");
        }
        assert_eq!(candidates(&state(None, false), &devices[..1]), devices[..1]);
        assert_eq!(candidates(&state(None, false), &devices[2..]), []);
    }

    #[test]
    fn one_of_several_disks_is_the_machines() {
        let candidate = |name: &str, facts: &str| {
            let mut device = device(&format!("/dev/{name}"), "RANCHER_STATE", "ext4");
            device.superblock.uuid = name.chars().rev().collect();
            Candidate {
                device,
                is_beside_image: facts.contains('i'),
                owner: Owner::from_text(if facts.contains('m') { "1\n" } else { "" }, "1"),
            }
        };
        for (facts, expected, is_certain) in [
            (&["sda "][..], Some("/dev/sda"), true),
            (&["sda ", "vda i"], Some("/dev/vda"), true),
            (&["sda m", "vda i"], Some("/dev/vda"), true),
            (&["sda ", "vda m"], Some("/dev/vda"), true),
            (&["sda i", "vda im", "vdb m"], Some("/dev/vda"), false),
            (&["sda m", "vda m"], Some("/dev/sda"), false),
            (&["sda ", "vda "], Some("/dev/sda"), false),
            (&["vda ", "sda "], Some("/dev/sda"), false),
            (&[], None, true),
        ] {
            let all = facts.iter().map(|text| {
                let (name, facts) = text.split_once(' ').unwrap();
                candidate(name, facts)
            });
            let chosen = choose(all.collect());
            let (found, problem) = chosen.map_or((None, None), |(device, problem)| {
                (Some(device.node.display().to_string()), problem)
            });
            assert_eq!(found.as_deref(), expected, "{facts:?}");
            assert_eq!(problem.is_none(), is_certain, "{facts:?}: {problem:?}");
        }
    }

    #[test]
    fn the_result_of_a_check() {
        for (code, expected) in [
            (Some(0), CheckResult::Clean),
            (Some(1), CheckResult::Mended),
            (Some(2), CheckResult::Mended),
            (Some(4), CheckResult::Broken),
            (Some(8), CheckResult::Broken),
            (None, CheckResult::Broken),
        ] {
            assert_eq!(CheckResult::of_exit_code(code), expected, "{code:?}");
        }
    }

    #[test]
    fn disks_are_looked_for_until_the_buses_are_quiet() {
        for (wait, quiet_millis, has_pending_storage, waited_millis, expected) in [
            (false, 1_000, false, 0, false),
            (false, 999, false, 0, true),
            (false, 60_000, true, 0, true),
            (false, 0, true, 10_000, true),
            (false, 0, true, 10_001, false),
            (true, 60_000, false, 0, true),
            (true, 60_000, false, 30_000, true),
            (true, 0, true, 30_001, false),
        ] {
            let state = State {
                wait,
                ..State::default()
            };
            let buses = buses(quiet_millis, has_pending_storage);
            let waited = Duration::from_millis(waited_millis);
            let waits = looks_again(&state, &[], buses, waited);
            assert_eq!(waits, expected, "{wait} {buses:?} {waited_millis} ms");
        }
    }

    #[test]
    fn a_single_disk_of_another_machine_waits_for_this_machines() {
        let disk = |owner, is_beside_image| Candidate {
            device: device("/dev/vda", "RANCHER_STATE", "ext4"),
            is_beside_image,
            owner,
        };
        let busy = (0, 10);
        for (found, dev, (quiet_millis, waited_secs), expected) in [
            (vec![disk(Owner::Another, false)], None, busy, true),
            (vec![disk(Owner::Another, false)], None, (1_000, 0), false),
            (vec![disk(Owner::Another, false)], None, (0, 11), false),
            (
                vec![disk(Owner::Another, false)],
                Some("/dev/vda"),
                busy,
                false,
            ),
            (vec![disk(Owner::Another, true)], None, busy, false),
            (vec![disk(Owner::ThisMachine, false)], None, busy, false),
            (vec![disk(Owner::Unknown, false)], None, busy, false),
            (
                vec![disk(Owner::Another, false), disk(Owner::Another, false)],
                None,
                busy,
                false,
            ),
        ] {
            let buses = buses(quiet_millis, false);
            // The longer wait is for a disk that is missing.
            let state = State {
                wait: true,
                ..state(dev, false)
            };
            let again = looks_again(&state, &found, buses, Duration::from_secs(waited_secs));
            assert_eq!(again, expected, "{found:?} {dev:?} {buses:?} {waited_secs}");
        }
    }

    #[test]
    fn a_disk_is_owned_by_the_machine_whose_uuid_it_holds() {
        for (text, expected) in [
            ("aa-1\n", Owner::ThisMachine),
            ("bb-2", Owner::Another),
            ("\n", Owner::Unknown),
        ] {
            assert_eq!(Owner::from_text(text, "aa-1"), expected);
        }
    }

    fn buses(quiet_millis: u64, has_pending_storage: bool) -> BusActivity {
        BusActivity {
            quiet_for: Duration::from_millis(quiet_millis),
            has_pending_storage,
        }
    }

    #[test]
    fn a_disk_else_memory_becomes_the_state_filesystem() {
        let disk = device("/dev/vda", "RANCHER_STATE", "ext4");
        let missing = format!("{MEMORY} | the state disk LABEL=x was not found; {LOST}");
        let required = |name: &str| {
            format!(
                "looking for the state disk {name}: there is no such device\n\
                 hint: rancher.state.required=false boots without it, rancher.state.wait waits for it"
            )
        };
        for (found, dev, required, expected) in [
            (
                true,
                None,
                false,
                "/dev/vda | mount /dev/vda on /state (ext4 noatime,errors=remount-ro,resuid=4294967294) | -",
            ),
            (
                true,
                Some("/dev/vda"),
                true,
                "/dev/vda | mount /dev/vda on /state (ext4 noatime,errors=remount-ro,resuid=4294967294) | -",
            ),
            (false, None, false, &format!("{MEMORY} | -")),
            (false, Some(""), false, &format!("{MEMORY} | -")),
            (false, None, true, &required("LABEL=RANCHER_STATE")),
            (false, Some(""), true, &required("LABEL=RANCHER_STATE")),
            (false, Some("LABEL=x"), false, &missing),
            (false, Some("LABEL=x"), true, &required("LABEL=x")),
        ] {
            let planned = plan(&state(dev, required), found.then_some(&disk), &machine());
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
            let mount = plan(&state(None, required), found.then_some(&disk), &machine()).unwrap();
            let next = mount.fallback("mounting: bad superblock");
            assert_eq!(next.as_ref().map(text), expected, "{found} {required}");
            assert_eq!(next.and_then(|memory| memory.fallback("x")), None);
        }
    }

    #[test]
    fn the_filesystem_is_the_configured_one_unless_it_is_auto() {
        let disk = device("/dev/vda", "RANCHER_STATE", "ext4");
        for (fstype, expected) in [
            (None, "ext4 noatime,errors=remount-ro,resuid=4294967294"),
            (Some(""), "ext4 noatime,errors=remount-ro,resuid=4294967294"),
            (
                Some("auto"),
                "ext4 noatime,errors=remount-ro,resuid=4294967294",
            ),
            (Some("xfs"), "xfs noatime"),
        ] {
            let state = State {
                fstype: fstype.map(str::to_owned),
                ..State::default()
            };
            let mount = plan(&state, Some(&disk), &machine()).unwrap();
            let driver = expected.split(' ').next();
            assert_eq!(mount.driver.as_deref(), driver);
            let checked = checks(&mount).into_iter().map(|argv| argv.join(" "));
            let commands = match driver {
                Some("ext4") => vec![
                    "/usr/sbin/e2fsck -p /dev/vda",
                    "/usr/sbin/e2fsck -y /dev/vda",
                ],
                _ => vec![],
            };
            assert_eq!(checked.collect::<Vec<String>>(), commands);
            assert_eq!(
                mount.mount.to_string(),
                format!("mount /dev/vda on /state ({expected})")
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
            "mount /dev/vdb1 on /usr/share/ros/oem (ext4 ro,nosuid,nodev)"
        );
    }
}
