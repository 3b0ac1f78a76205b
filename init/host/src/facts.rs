//! Facts about the machine that plans depend on. They are read below a root, so that a test can supply its own.

use std::path::Path;

use os_config::bounded_file;

use crate::paths::{FIRST_BOOT_DONE, METADATA, below_root};
use crate::proc::memory::Memory;

/// The facts about hardware and kernel that plans need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Total memory in MiB.
    pub memory_mib: u64,
    /// The memory in MiB that programs can still have.
    pub available_mib: u64,
    /// The machine-id of the state disk or the image; `None` if neither has a machine-id.
    pub machine_id: Option<String>,
}

impl HostFacts {
    /// Reads the facts below `root`.
    pub fn read(root: &Path) -> Self {
        let memory = Memory::read(root);
        let id = bounded_file::text(&root.join("etc/machine-id")).unwrap_or_default();
        Self {
            memory_mib: memory.total_kib / 1024,
            available_mib: memory.available_kib / 1024,
            machine_id: is_machine_id(id.trim()).then(|| id.trim().to_owned()),
        }
    }
}

/// The release of the running kernel, the name of its modules' folder.
pub fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// A new machine-id: 32 hexadecimal digits (machine-id(5)) from the kernel's random source.
pub fn new_machine_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/uuid")
        .unwrap_or_default()
        .trim()
        .replace('-', "")
}

/// The UUID that the firmware gives this machine (SMBIOS), in lower case. `None` without a UUID, or with a UUID of
/// repeated digits, which belongs to many machines.
pub fn firmware_uuid(root: &Path) -> Option<String> {
    let text = std::fs::read_to_string(root.join("sys/class/dmi/id/product_uuid")).ok()?;
    let uuid = text.trim().to_ascii_lowercase();
    let digits: std::collections::BTreeSet<char> =
        uuid.chars().filter(char::is_ascii_hexdigit).collect();
    (digits.len() > 1).then_some(uuid)
}

/// Whether no earlier boot has configured this machine: none has come up, and no data source has answered.
pub fn is_first_boot(root: &Path) -> bool {
    let files = [FIRST_BOOT_DONE, METADATA].map(below_root);
    files.iter().all(|file| !root.join(file).exists())
}

/// Whether this is a virtual machine, by the flag that hypervisors give its processors.
pub fn is_virtual_machine(root: &Path) -> bool {
    let text = std::fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
    let mut flags = text.lines().filter(|line| line.starts_with("flags"));
    flags.any(|line| {
        line.split_ascii_whitespace()
            .any(|flag| flag == "hypervisor")
    })
}

fn is_machine_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::{firmware_uuid, is_first_boot, is_machine_id};
    use crate::paths::{FIRST_BOOT_DONE, METADATA, below_root};

    #[test]
    fn a_boot_that_came_up_or_an_answer_ends_the_first_boot() {
        for file in [FIRST_BOOT_DONE, METADATA] {
            let root = tempfile::tempdir().unwrap();
            assert!(is_first_boot(root.path()));
            let file = root.path().join(below_root(file));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "").unwrap();
            assert!(!is_first_boot(root.path()), "{}", file.display());
        }
    }

    #[test]
    fn a_uuid_of_repeated_digits_is_none() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sys/class/dmi/id");
        assert_eq!(firmware_uuid(root.path()), None);
        std::fs::create_dir_all(&folder).unwrap();
        for (text, expected) in [
            ("4C4C4544-0042-3510\n", Some("4c4c4544-0042-3510")),
            ("00000000-0000-0000\n", None),
            ("ffffffff-ffff-ffff", None),
            ("", None),
        ] {
            std::fs::write(folder.join("product_uuid"), text).unwrap();
            assert_eq!(firmware_uuid(root.path()).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn machine_ids() {
        assert!(is_machine_id("0123456789abcdef0123456789abcdef"));
        assert!(!is_machine_id("uninitialized"));
    }
}
