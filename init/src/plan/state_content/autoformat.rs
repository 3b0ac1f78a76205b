//! The disks that may become the state disk by being formatted: an empty disk that `rancher.state.autoformat` names, and a
//! new disk of docker-machine, which asks for it. No other disk is ever formatted. Pure: a disk's bytes in, steps out.

use std::path::{Path, PathBuf};

use disk::docker_machine::{self, MAGIC};
use host::paths::{CLOUD_CONFIG_FOLDER, CONF, STATE, below_root};
use host::step::{Planned, Step, may};
use os_config::State;

use crate::plan::state_disk::configured_device;

/// The bytes at the start and at the end of a disk that are looked at: partition tables and superblocks lie in them.
pub(crate) const LOOKED_AT: u64 = 1 << 20;
const RANCHER_LABEL: &str = "RANCHER_STATE";
const DOCKER_MACHINE_LABEL: &str = "B2D_STATE";
/// `rancher.state.dev=LABEL=none` asks for a machine without a state disk.
const NO_DISK: &str = "none";
/// ext4's limit.
const MAX_LABEL_BYTES: usize = 16;
/// The file with docker-machine's keys, in the folder of cloud-configs; RancherOS calls it so too.
const MACHINE_CONFIG: &str = "machine.yml";

/// A whole disk that no filesystem was found on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnknownDisk {
    pub(crate) node: PathBuf,
    /// The first and the last bytes, [`LOOKED_AT`] at most.
    pub(crate) head: Vec<u8>,
    pub(crate) tail: Vec<u8>,
    /// People carry it, as they do a stick.
    pub(crate) is_removable: bool,
}

/// A disk to format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Formatting {
    pub(crate) node: PathBuf,
    pub(crate) label: String,
    /// The keys of ssh that the disk brings.
    pub(crate) keys: Vec<String>,
}

/// Whether the disk has docker-machine's text at its start.
pub(crate) fn asks_for_it(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// How the disk is formatted; `None` if it is left alone.
pub(crate) fn choose(state: &State, disk: &UnknownDisk) -> Option<Formatting> {
    let formatting = |label: &str, keys| Formatting {
        node: disk.node.clone(),
        label: label.to_owned(),
        keys,
    };
    let dev = configured_device(state);
    let takes_docker_machine = dev.is_none_or(|dev| dev.ends_with(DOCKER_MACHINE_LABEL));
    // A stick never decides over the machine's logins.
    if asks_for_it(&disk.head) && takes_docker_machine && !disk.is_removable {
        let keys = docker_machine::authorized_keys(&disk.head);
        return Some(formatting(DOCKER_MACHINE_LABEL, keys));
    }
    let is_named = state
        .autoformat
        .iter()
        .any(|name| Path::new(name.trim()) == disk.node);
    let is_empty = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0);
    let label = label_of(dev, &disk.node)?;
    (is_named && is_empty(&disk.head) && is_empty(&disk.tail))
        .then(|| formatting(label, Vec::new()))
}

/// The label by which the next boot finds the disk; `None` if it could not find it, or is to find none.
fn label_of<'a>(dev: Option<&'a str>, node: &Path) -> Option<&'a str> {
    match (dev, dev.and_then(|dev| dev.strip_prefix("LABEL="))) {
        (None, _) => Some(RANCHER_LABEL),
        (_, Some(label)) => (label != NO_DISK && label.len() <= MAX_LABEL_BYTES).then_some(label),
        (Some(dev), None) => (Path::new(dev) == node).then_some(RANCHER_LABEL),
    }
}

/// The command line that formats the disk.
pub(crate) fn command(formatting: &Formatting) -> Vec<String> {
    let node = formatting.node.display().to_string();
    ["/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-L"]
        .map(str::to_owned)
        .into_iter()
        .chain([formatting.label.clone(), node])
        .collect()
}

/// Authorizes the keys that the disk brings. The state filesystem is mounted.
pub(crate) fn login(formatting: &Formatting) -> Vec<Planned> {
    let keys: Vec<String> = formatting
        .keys
        .iter()
        .filter(|key| is_plain(key))
        .map(|key| format!("- \"{key}\"\n"))
        .collect();
    if keys.is_empty() {
        return Vec::new();
    }
    let folder = Path::new(STATE)
        .join(below_root(CONF))
        .join(CLOUD_CONFIG_FOLDER);
    let file = Step::Write {
        path: folder.join(MACHINE_CONFIG),
        content: format!("#cloud-config\nssh_authorized_keys:\n{}", keys.concat()),
        mode: 0o600,
    };
    let folder = Step::Folder {
        path: folder,
        mode: 0o700,
    };
    vec![may(folder), may(file)]
}

/// Whether a key can stand between quotes in a YAML document.
fn is_plain(key: &str) -> bool {
    key.bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::{UnknownDisk, choose, command, login};
    use disk::docker_machine::MAGIC;
    use os_config::State;
    use std::path::Path;

    #[test]
    fn only_empty_disks_that_are_named_and_disks_that_ask_are_formatted() {
        let empty = vec![0; 4096];
        let mut used = empty.clone();
        used[1000] = 1;
        let magic = MAGIC.to_vec();
        for (named, dev, head, tail, expected) in [
            ("/dev/vda", None, &empty, &empty, Some("RANCHER_STATE")),
            ("/dev/vda", Some("LABEL=MINE"), &empty, &empty, Some("MINE")),
            (
                "/dev/vda",
                Some("/dev/vda"),
                &empty,
                &empty,
                Some("RANCHER_STATE"),
            ),
            ("/dev/vdb", None, &empty, &empty, None),
            ("/dev/vda", None, &used, &empty, None),
            // The copy of a partition table.
            ("/dev/vda", None, &empty, &used, None),
            ("/dev/vda", None, &vec![], &vec![], None),
            ("/dev/vdb", None, &magic, &empty, Some("B2D_STATE")),
            ("/dev/vda", None, &magic, &used, Some("B2D_STATE")),
            ("/dev/vda", Some("LABEL=none"), &magic, &empty, None),
            ("/dev/vda", Some("LABEL=none"), &empty, &empty, None),
            ("/dev/vda", Some("UUID=1234"), &empty, &empty, None),
            (
                "/dev/vda",
                Some("LABEL=longer-than-16-bytes"),
                &empty,
                &empty,
                None,
            ),
        ] {
            let state = State {
                dev: dev.map(str::to_owned),
                autoformat: vec![named.to_owned()],
                ..State::default()
            };
            let disk = UnknownDisk {
                node: "/dev/vda".into(),
                head: head.clone(),
                tail: tail.clone(),
                is_removable: false,
            };
            let label = choose(&state, &disk).map(|formatting| formatting.label);
            assert_eq!(label.as_deref(), expected, "{named} {dev:?}");
        }
    }

    #[test]
    fn a_stick_is_formatted_only_if_it_is_empty_and_named() {
        let state = State {
            autoformat: vec!["/dev/sda".to_owned()],
            ..State::default()
        };
        for (head, expected) in [
            (MAGIC.to_vec(), None),
            (vec![0; 4096], Some("RANCHER_STATE")),
        ] {
            let stick = UnknownDisk {
                node: "/dev/sda".into(),
                head,
                tail: vec![0; 4096],
                is_removable: true,
            };
            let label = choose(&state, &stick).map(|formatting| formatting.label);
            assert_eq!(label.as_deref(), expected);
        }
    }

    #[test]
    fn a_disk_brings_its_keys() {
        let mut formatting = choose(
            &State::default(),
            &UnknownDisk {
                node: "/dev/sda".into(),
                head: MAGIC.to_vec(),
                tail: Vec::new(),
                is_removable: false,
            },
        )
        .unwrap();
        assert!(login(&formatting).is_empty());
        assert_eq!(
            command(&formatting).join(" "),
            "/usr/sbin/mke2fs -q -F -t ext4 -L B2D_STATE /dev/sda"
        );
        formatting.keys = vec!["ssh-rsa AAAA me".into(), "ssh-rsa \"\\".into()];
        let plan = login(&formatting);
        let host::step::Step::Write { path, content, .. } = &plan[1].step else {
            panic!("{plan:?}");
        };
        assert_eq!(
            path,
            Path::new("/state/var/lib/rancher/conf/cloud-config.d/machine.yml")
        );
        assert_eq!(
            content,
            "#cloud-config\nssh_authorized_keys:\n- \"ssh-rsa AAAA me\"\n"
        );
    }
}
