//! The few files that write files by other means than `os_config::atomic_file`, each with the reason why a lost or half
//! written file does no harm there.

use crate::sources::imports::list_unlisted;
use crate::sources::workspace::{Member, Workspace};

/// Paths that make, write or empty a file.
const WRITING: &[&str] = &[
    "std::fs::copy",
    "std::fs::write",
    "std::fs::File::create",
    "std::fs::File::create_new",
    "std::fs::File::options",
    "std::fs::OpenOptions",
    "nix::fcntl::open",
    "nix::fcntl::openat",
    "tempfile::NamedTempFile",
];

/// Crates whose files can be made again: they run on the build host.
const BUILDERS: &[&str] = &["iso", "qemu-tests"];

const DEVICE: &str = "it opens a device";
const MEMORY: &str = "the file is in memory and lasts as long as the boot";

/// The files of the other crates that write, with their reasons.
const WRITERS: &[(&str, &str)] = &[
    ("init/host/src/block/medium.rs", DEVICE),
    ("init/host/src/block/verity.rs", DEVICE),
    ("init/host/src/console.rs", DEVICE),
    (
        "init/host/src/perform/files.rs",
        "`tell_kernel` writes to /proc and /sys",
    ),
    (
        "init/host/src/perform/image_store.rs",
        "each boot compares the files with the OS image and writes those that differ",
    ),
    ("init/host/src/perform/loop_device.rs", DEVICE),
    ("init/host/src/proc/kernel_log.rs", DEVICE),
    ("init/host/src/slot/environment.rs", DEVICE),
    ("init/host/src/problems.rs", MEMORY),
    (
        "init/host/src/perform/reserve.rs",
        "the file has no content, and is made again if it is missing",
    ),
    ("init/host/src/perform/swap_space.rs", DEVICE),
    (
        "init/host/src/process/lifecycle.rs",
        "logs are appended to: a sync for each line would cost more than the last lines are worth",
    ),
    (
        "init/host/src/process/log_limit.rs",
        "it copies and empties logs, which are appended to without a sync",
    ),
    ("init/host/src/slot/table_lock.rs", MEMORY),
    ("init/host/src/timeline.rs", MEMORY),
    ("init/src/boot/os_image.rs", MEMORY),
    ("init/src/rescue.rs", DEVICE),
    ("init/src/supervise/watchdog.rs", DEVICE),
    (
        "os-config/src/atomic_file.rs",
        "it is the writer of all other files",
    ),
    (
        "os-config/cloud-init-rs/src/folder.rs",
        "it only reads: pipes and devices must not block it",
    ),
    ("os-config/ros/src/cloud_init/current_source.rs", MEMORY),
    ("os-config/ros/src/console/motd.rs", MEMORY),
    (
        "os-config/ros/src/console/mounts.rs",
        "it makes empty files: the targets of mounts, and the swap file",
    ),
    (
        "os-config/ros/src/console/runcmd.rs",
        "the mark is in memory, and the log is appended to",
    ),
    (
        "os-config/ros/src/console/accounts/authorized_keys.rs",
        MEMORY,
    ),
    ("os-config/ros/src/console/host_keys.rs", MEMORY),
    ("os-config/ros/src/console/ssh_server.rs", MEMORY),
    (
        "os-config/ros/src/console/user_path.rs",
        "it opens folders and reads files",
    ),
    ("os-config/ros/src/disk/install/perform.rs", DEVICE),
    ("os-config/ros/src/docker/container_lock.rs", MEMORY),
    (
        "os-config/ros/src/manual.rs",
        "it runs in the build and writes into a new folder",
    ),
    ("os-config/ros/src/network/netconf.rs", MEMORY),
    ("os-config/ros/src/service_engine/marks.rs", MEMORY),
    ("os-config/ros/src/service_engine/sysinit/mod.rs", MEMORY),
    (
        "os-config/ros/src/service_engine/sysinit/user_part.rs",
        MEMORY,
    ),
    (
        "os-config/ros/src/user_docker/user_containers/limits.rs",
        "it writes to the files of cgroups",
    ),
    (
        "os-config/ros/src/user_docker/entrypoint.rs",
        "it writes to the files of cgroups",
    ),
    ("os-config/ros/src/user_docker/notices.rs", MEMORY),
];

#[test]
fn files_that_must_survive_are_replaced_as_a_whole() {
    crate::assert_none(
        &list_faults(&Workspace::get().crates, WRITERS),
        "use os_config::atomic_file, or give the reason in WRITERS of iso/tests/house/rules/writers.rs and at the call",
    );
}

fn list_faults(crates: &[Member], writers: &[(&str, &str)]) -> Vec<String> {
    list_unlisted(crates, BUILDERS, WRITING, writers, "it writes no file")
}

#[cfg(test)]
mod tests {
    use super::list_faults;
    use crate::sources::workspace::Member;

    #[test]
    fn every_way_to_write_is_seen() {
        for (code, path) in [
            ("fn f() { std::fs::write() }", "std::fs::write"),
            ("use std::fs; fn f() { fs::copy() }", "std::fs::copy"),
            (
                "use std::fs::File; fn f() { File::create() }",
                "std::fs::File::create",
            ),
            (
                "use std::fs; fn f() { fs::OpenOptions::new() }",
                "std::fs::OpenOptions::new",
            ),
            ("use std::fs::*;", "std::fs::*"),
        ] {
            let ros = Member::new("ros", &[("ros/src/main.rs", code)]);
            let fault = format!("ros/src/main.rs: `{path}`");
            assert_eq!(list_faults(&[ros], &[]), [fault]);
        }
    }

    #[test]
    fn readers_tests_and_builders_are_free() {
        let code = "use std::fs::{self, File}; fn f() { fs::read(); fs::rename(); File::open() }
            #[cfg(test)] mod tests { fn f() { std::fs::write() } }";
        let ros = Member::new("ros", &[("ros/src/main.rs", code)]);
        let iso = "fn f() { std::fs::write() }";
        let iso = Member::new("iso", &[("iso/src/main.rs", iso)]);
        assert_eq!(list_faults(&[ros, iso], &[]), [""; 0]);
    }

    #[test]
    fn a_listed_file_writes() {
        let ros = Member::new("ros", &[("ros/src/main.rs", "fn f() { std::fs::write() }")]);
        let listed = [("ros/src/main.rs", "why"), ("ros/src/gone.rs", "why")];
        assert_eq!(
            list_faults(&[ros], &listed),
            ["ros/src/gone.rs: listed, but it writes no file"]
        );
    }
}
