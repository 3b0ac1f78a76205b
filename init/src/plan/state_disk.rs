//! Which device is the state disk: by its label or its name, the disk of the OS image, and the machine that used it first.
//! Pure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use os_config::State;

use crate::plan::mounts::PADDOCK_FOLDER;
use host::block::BusActivity;
use host::block::{Device, DeviceName};
use host::paths::STATE;
use host::problems::ProblemRecord;
use host::state_problems;
use host::step::{Step, folder_of};

/// Labels of state disks that need no configuration: RancherOS's, and boot2docker's of docker-machine.
const KNOWN_LABELS: [&str; 2] = [DEFAULT_NAME, "LABEL=B2D_STATE"];
pub(crate) const DEFAULT_NAME: &str = "LABEL=RANCHER_STATE";

/// The setting that problems with the choice belong to.
pub(crate) const SOURCE: &str = "rancher.state";

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
/// The file of `rancher.state.script`.
const SCRIPT: &str = "/run/ros/state-script";

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
    /// People carry it, as they do a stick.
    pub(crate) is_removable: bool,
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

/// The state disk, and a problem if more than one device could be it or another machine used it first.
pub(crate) fn choose(
    state: &State,
    candidates: Vec<Candidate>,
) -> Option<(Device, Option<ProblemRecord>)> {
    if let [only] = candidates.as_slice() {
        let problem = is_foreign(state, only).then(|| foreign(&only.device));
        return Some((only.device.clone(), problem));
    }
    let is_only = |test: fn(&Candidate) -> bool| {
        let mut matching = candidates.iter().filter(|candidate| test(candidate));
        let first = matching.next()?;
        matching.next().is_none().then_some(first)
    };
    let certain = is_only(|candidate| candidate.is_beside_image)
        .or_else(|| is_only(|candidate| candidate.owner == Owner::ThisMachine))
        .or_else(|| is_only(|candidate| candidate.owner != Owner::Another));
    if let Some(certain) = certain {
        return Some((certain.device.clone(), None));
    }
    // A stick comes after the machine's own disks. The names of disks can change from boot to boot, their UUIDs cannot.
    let best = candidates
        .iter()
        .max_by_key(|candidate| {
            let is_of_machine = candidate.owner == Owner::ThisMachine;
            let is_of_another = candidate.owner == Owner::Another;
            let facts = (candidate.is_beside_image, is_of_machine, !is_of_another);
            let uuid = std::cmp::Reverse(&candidate.device.superblock.uuid);
            (facts, !candidate.is_removable, uuid)
        })?
        .device
        .clone();
    let problem = ambiguous(&best, &candidates);
    Some((best, Some(problem)))
}

fn ambiguous(best: &Device, candidates: &[Candidate]) -> ProblemRecord {
    let nodes: Vec<String> = candidates
        .iter()
        .map(|candidate| candidate.device.node.display().to_string())
        .collect();
    let uuid = &best.superblock.uuid;
    let has_uuid = |candidate: &&Candidate| candidate.device.superblock.uuid == *uuid;
    // A disk that was copied byte by byte has the UUID too.
    let hint = if uuid.is_empty() || candidates.iter().filter(has_uuid).count() > 1 {
        "take the label away from the other".to_owned()
    } else {
        format!(
            "rancher.state.dev=UUID={uuid} on the kernel line names it, or take the label away from the other"
        )
    };
    let text = format!(
        "{} can each be the state disk; {} is used (hint: {hint})",
        nodes.join(" and "),
        best.node.display(),
    );
    ProblemRecord::error(state_problems::AMBIGUOUS, SOURCE, text)
}

/// Whether another machine used the disk first, and nothing says that the disk is this machine's now.
fn is_foreign(state: &State, candidate: &Candidate) -> bool {
    let is_named = configured_device(state).is_some();
    candidate.owner == Owner::Another && !candidate.is_beside_image && !is_named
}

/// The disk is used: a disk that was moved, or a virtual machine that was made anew, needs its data. The machine does not
/// write its UUID on the disk by itself, because the disk may only be visiting.
fn foreign(device: &Device) -> ProblemRecord {
    let (_, file) = machine_file(STATE);
    let text = format!(
        "{} is used as the state disk, though another machine used it first (hint: `sudo nsenter --target 1 --mount rm \
         {}` and a reboot make it this machine's; else take it out, and look why this machine's own disk is missing)",
        device.node.display(),
        file.display()
    );
    ProblemRecord::warning(state_problems::FOREIGN, SOURCE, text)
}

/// Reports a device that could be the state disk and does not answer.
pub(crate) fn silent(device: &Device) -> ProblemRecord {
    let text = format!(
        "{} ({}) does not answer and is not used as the state disk (hint: look at the disk and its cable)",
        device.node.display(),
        device.superblock.label
    );
    ProblemRecord::error(state_problems::SILENT_AT_BOOT, SOURCE, text)
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
        [only] => is_foreign(state, only) && is_expected,
        _ => false,
    }
}

/// Reports a disk that has not answered when its filesystem was looked for.
pub(crate) fn silent_node(node: &Path, has_state_disk: bool) -> ProblemRecord {
    let consequence = if has_state_disk {
        "the machine goes on without it"
    } else {
        "if it is the state disk, nothing of this session will be kept"
    };
    let text = format!(
        "{} does not answer; {consequence} (hint: look at the disk and its cable)",
        node.display()
    );
    ProblemRecord::error(state_problems::SILENT_AT_BOOT, "disks", text)
}

/// The options for a look at a filesystem that may be another machine's: its journal is not replayed.
pub(crate) fn look_options(fstype: &str) -> &'static str {
    match fstype {
        "ext3" | "ext4" => "ro,nosuid,nodev,noexec,noload",
        "xfs" => "ro,nosuid,nodev,noexec,norecovery",
        "btrfs" => "ro,nosuid,nodev,noexec,rescue=nologreplay",
        _ => "ro,nosuid,nodev,noexec",
    }
}

/// Mounts a device in order to read whose it is, and the file with the answer.
pub(crate) fn candidate(device: &Device) -> (Step, PathBuf) {
    let folder = folder_of(CANDIDATE_MOUNT, &device.node);
    let (_, file) = machine_file(&folder);
    let step = Step::Mount {
        source: device.node.display().to_string(),
        target: folder,
        fstype: device.superblock.fstype.to_owned(),
        options: look_options(device.superblock.fstype).to_owned(),
    };
    (step, file)
}

/// Mounts a state disk for the count of the rescue console's reboots, and returns the folder.
pub(crate) fn rescue_mount(device: &Device) -> (PathBuf, Step) {
    let folder = folder_of(CANDIDATE_MOUNT, &device.node);
    let step = Step::Mount {
        source: device.node.display().to_string(),
        target: folder.clone(),
        fstype: device.superblock.fstype.to_owned(),
        options: String::new(),
    };
    (folder, step)
}

/// On a state disk that is mounted at `root`: the folder and the file with the UUID of the machine that used the disk
/// first.
pub(crate) fn machine_file(root: impl AsRef<Path>) -> (PathBuf, PathBuf) {
    let folder = root.as_ref().join(PADDOCK_FOLDER);
    let file = folder.join(MACHINE_FILE);
    (folder, file)
}

/// Writes `rancher.state.script` into a file in memory, which is returned too.
pub(crate) fn script(text: &str) -> (PathBuf, Step) {
    let path = PathBuf::from(SCRIPT);
    let step = Step::Write {
        path: path.clone(),
        content: text.to_owned(),
        mode: 0o600,
    };
    (path, step)
}

/// `rancher.state.dev`, unless it is empty.
pub(crate) fn configured_device(state: &State) -> Option<&str> {
    state.dev.as_deref().filter(|dev| !dev.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{Candidate, Owner, candidate, candidates, choose, looks_again, silent};
    use disk::superblock::Superblock;
    use host::block::BusActivity;
    use host::block::Device;
    use os_config::{Severity, State};
    use std::time::Duration;

    pub(crate) fn device(node: &str, label: &str, fstype: &'static str) -> Device {
        Device {
            node: node.into(),
            superblock: Superblock {
                fstype,
                label: label.to_owned(),
                uuid: "abcd-ef01".to_owned(),
            },
        }
    }

    fn state(dev: Option<&str>) -> State {
        State {
            dev: dev.map(str::to_owned),
            ..State::default()
        }
    }

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
            let found = candidates(&state(dev), &devices);
            let first = found.first().map(|found| found.node.to_str().unwrap());
            assert_eq!(first, expected, "{dev:?}");
        }
        assert_eq!(candidates(&state(None), &devices[..1]), devices[..1]);
        assert_eq!(candidates(&state(None), &devices[2..]), []);
    }

    #[test]
    fn one_of_several_disks_is_the_machines() {
        let candidate = |name: &str, facts: &str| {
            let mut device = device(&format!("/dev/{name}"), "RANCHER_STATE", "ext4");
            device.superblock.uuid = name.chars().rev().collect();
            Candidate {
                device,
                is_beside_image: facts.contains('i'),
                is_removable: facts.contains('r'),
                owner: match facts.contains('a') {
                    true => Owner::Another,
                    false if facts.contains('m') => Owner::ThisMachine,
                    false => Owner::Unknown,
                },
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
            // A disk of no known machine is more likely this machine's than a disk of another.
            (&["sda a", "vda "], Some("/dev/vda"), true),
            (&["sda a", "vda a"], Some("/dev/sda"), false),
            (&["sda a", "vda ", "vdb "], Some("/dev/vda"), false),
            // A stick is no better for a lower UUID, nor for the UUID of this machine.
            (&["sda r", "vda "], Some("/dev/vda"), false),
            (&["sda mr", "vda m"], Some("/dev/vda"), false),
            (&["sda r"], Some("/dev/sda"), true),
            (&[], None, true),
        ] {
            let all = facts.iter().map(|text| {
                let (name, facts) = text.split_once(' ').unwrap();
                candidate(name, facts)
            });
            let chosen = choose(&State::default(), all.collect());
            let (found, problem) = chosen.map_or((None, None), |(device, problem)| {
                (Some(device.node.display().to_string()), problem)
            });
            assert_eq!(found.as_deref(), expected, "{facts:?}");
            assert_eq!(problem.is_none(), is_certain, "{facts:?}: {problem:?}");
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
            is_removable: false,
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
                ..state(dev)
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
    fn the_only_disk_is_used_and_said_if_it_is_another_machines() {
        let only = |owner, is_beside_image| Candidate {
            device: device("/dev/vda", "RANCHER_STATE", "ext4"),
            is_beside_image,
            is_removable: false,
            owner,
        };
        for (owner, is_beside_image, dev, is_said) in [
            (Owner::Another, false, None, true),
            (Owner::Another, false, Some(""), true),
            // An installation that was copied as a whole, and a disk that somebody has named.
            (Owner::Another, true, None, false),
            (Owner::Another, false, Some("/dev/vda"), false),
            (Owner::ThisMachine, false, None, false),
            (Owner::Unknown, false, None, false),
        ] {
            let chosen = choose(&state(dev), vec![only(owner, is_beside_image)]);
            let (device, problem) = chosen.unwrap();
            assert_eq!(device.node.to_str(), Some("/dev/vda"));
            assert_eq!(problem.is_some(), is_said, "{owner:?} {dev:?}: {problem:?}");
            if let Some(problem) = problem {
                assert_eq!(problem.id, "state.foreign");
                assert_eq!(problem.severity, Severity::Warning);
                assert!(problem.text.contains("rm /state/paddock/machine`"));
            }
        }
    }

    #[test]
    fn the_hint_for_several_disks_names_a_uuid_that_no_other_disk_has() {
        for (uuids, expected) in [
            (
                ["b", "a"],
                "rancher.state.dev=UUID=a on the kernel line names it, or take",
            ),
            (["a", "a"], "(hint: take the label"),
            (["", ""], "(hint: take the label"),
        ] {
            let disks = ["/dev/sda", "/dev/sdb"].into_iter().zip(uuids);
            let found = disks.map(|(node, uuid)| {
                let mut device = device(node, "RANCHER_STATE", "xfs");
                device.superblock.uuid = uuid.to_owned();
                Candidate {
                    device,
                    is_beside_image: false,
                    is_removable: false,
                    owner: Owner::Unknown,
                }
            });
            let problem = choose(&state(None), found.collect()).unwrap().1.unwrap();
            assert_eq!(problem.id, "state.ambiguous");
            assert!(problem.text.contains(expected), "{}", problem.text);
            assert!(
                problem
                    .text
                    .starts_with("/dev/sda and /dev/sdb can each be")
            );
        }
    }

    #[test]
    fn a_look_at_a_disk_changes_nothing_on_it() {
        for (fstype, expected) in [
            ("ext4", "noload"),
            ("ext3", "noload"),
            ("xfs", "norecovery"),
            ("btrfs", "rescue=nologreplay"),
        ] {
            let (step, file) = candidate(&device("/dev/sda1", "RANCHER_STATE", fstype));
            let folder = "/run/ros/state-candidate/dev-sda1";
            assert_eq!(
                step.to_string(),
                format!("mount /dev/sda1 on {folder} ({fstype} ro,nosuid,nodev,noexec,{expected})")
            );
            assert_eq!(file.to_str(), Some(&*format!("{folder}/paddock/machine")));
        }
    }

    #[test]
    fn a_disk_that_does_not_answer_is_named() {
        let problem = silent(&device("/dev/sda1", "RANCHER_STATE", "ext4"));
        assert_eq!(problem.id, "disk.silent");
        assert!(
            problem
                .text
                .starts_with("/dev/sda1 (RANCHER_STATE) does not answer")
        );
    }
}
