//! The choice of the filesystem for `/state`: the state disk, or memory on a machine without a state disk. Pure:
//! configuration and devices in, steps out.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use os_config::State;

use crate::plan::mounts::{PADDOCK_FOLDER, state_size};
use crate::plan::state_disk::{self, DEFAULT_NAME, configured_device};
use host::block::Device;
use host::facts::HostFacts;
use host::paths::{STATE, STATE_RESERVE};
use host::step::{Planned, Step, may, must};

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
        path: state_disk::machine_file(STATE).1,
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
    /// The kernel had recorded an error, and nothing had to be mended.
    Recorded,
    Mended,
    Broken,
    /// It was ended, or did not begin.
    Unfinished,
}

impl CheckResult {
    /// By e2fsck's exit code; `None` if it was killed. `had_error`: the kernel had recorded an error.
    pub(crate) fn of_exit_code(code: Option<i32>, had_error: bool) -> Self {
        match code {
            Some(0) if had_error => Self::Recorded,
            Some(0) => Self::Clean,
            // 1: mended; 2: mended, and a mounted filesystem would need a reboot.
            Some(1..=3) => Self::Mended,
            Some(_) => Self::Broken,
            None => Self::Unfinished,
        }
    }

    /// The problem of a check of `disk` with its output in `log`.
    pub(crate) fn problem(self, disk: &str, log: &str) -> Option<String> {
        let text = match self {
            Self::Clean => return None,
            Self::Recorded => format!(
                "{disk} had an error before this boot, and e2fsck found nothing to mend (see {log}); look at the disk"
            ),
            Self::Mended => format!(
                "{disk} had errors, which e2fsck has mended (see {log}); files may be in lost+found"
            ),
            Self::Broken => {
                format!("{disk} has errors that e2fsck cannot mend (see {log}): save what is on it")
            }
            Self::Unfinished => format!(
                "{disk} is mounted without a check, which did not come to its end (see {log})"
            ),
        };
        Some(text)
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

fn is_ext(fstype: &str) -> bool {
    matches!(fstype, "ext2" | "ext3" | "ext4")
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
    use super::{CheckResult, StateMount, checks, directory, plan};
    use crate::plan::state_disk::tests::device;
    use host::facts::HostFacts;
    use os_config::State;

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
    fn the_result_of_a_check() {
        for (code, expected) in [
            (Some(0), CheckResult::Clean),
            (Some(1), CheckResult::Mended),
            (Some(2), CheckResult::Mended),
            (Some(4), CheckResult::Broken),
            (Some(8), CheckResult::Broken),
            (None, CheckResult::Unfinished),
        ] {
            assert_eq!(CheckResult::of_exit_code(code, false), expected, "{code:?}");
        }
    }

    #[test]
    fn damage_of_the_state_disk_is_said() {
        for (code, had_error, expected) in [
            (Some(0), false, None),
            (
                Some(0),
                true,
                Some("/dev/vda had an error before this boot"),
            ),
            (
                Some(1),
                true,
                Some("/dev/vda had errors, which e2fsck has mended (see /log)"),
            ),
            (
                Some(4),
                false,
                Some("/dev/vda has errors that e2fsck cannot mend (see /log)"),
            ),
            (None, false, Some("/dev/vda is mounted without a check")),
        ] {
            let problem = CheckResult::of_exit_code(code, had_error).problem("/dev/vda", "/log");
            let is_right = match (&problem, expected) {
                (Some(problem), Some(expected)) => problem.starts_with(expected),
                (problem, expected) => problem.is_none() && expected.is_none(),
            };
            assert!(is_right, "{code:?}: {problem:?}");
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
}
