//! The mounts and folders of the boot phases, as lists of steps. Pure: facts in, plan out.

use std::path::{Path, PathBuf};

use host::facts::HostFacts;
use host::paths::{
    self, CACHE, CLOUD_CONFIG_FOLDER, CONF, DONE_SERVICES, OS_IMAGE, PRELOAD, RUN, STATE,
    STOPPED_SERVICES, below_root,
};
use host::step::{Planned, Step, may, must};

/// The folder for PaddockOS's own data on the state filesystem. The folders beside it are RancherOS's too.
pub(crate) const PADDOCK_FOLDER: &str = "paddock";
/// The mount of the OS root until it becomes `/`.
const NEW_ROOT: &str = "/sysroot";
/// The image store in the OS root. In the image it lies beside the root, because overlayfs refuses a layer that lies
/// inside another, and the base layer is the OS root.
const IMAGE_STORE: &str = "usr/share/ros/system-docker";
/// The copy of the OS image, for a medium that may go.
const IMAGE_IN_MEMORY: &str = "/run/ros/image-in-memory";
/// System Docker's data root.
pub(crate) const SYSTEM_DOCKER_DATA: &str = "/var/lib/system-docker";

fn mount(source: &str, target: &str, options: &str) -> Step {
    // For the kernel's own filesystems, source and type are the same word.
    Step::Mount {
        source: source.to_owned(),
        target: target.into(),
        fstype: source.to_owned(),
        options: options.to_owned(),
    }
}

fn folder(path: impl Into<PathBuf>, mode: u32) -> Step {
    Step::Folder {
        path: path.into(),
        mode,
    }
}

/// The kernel's filesystems. Without them PID 1 can read no fact of the kernel and show no line.
pub(crate) fn early_mounts() -> Vec<Planned> {
    vec![
        must(mount("devtmpfs", "/dev", "nosuid,mode=0755")),
        must(mount("proc", "/proc", "nosuid,nodev,noexec")),
        must(mount("sysfs", "/sys", "nosuid,nodev,noexec")),
        // Its size is a part of the whole memory: the kernel's numbers cannot be read before /proc is there.
        must(mount("tmpfs", "/run", "nosuid,nodev,mode=0755,size=5%")),
        must(folder(RUN, 0o755)),
        // By default the kernel drops records of a debug boot.
        may(Step::Tell {
            path: "/proc/sys/kernel/printk_devkmsg".into(),
            content: "on".to_owned(),
        }),
    ]
}

/// A device or file mounted read-only.
pub(crate) fn read_only(node: &Path, target: &str, fstype: &str) -> Step {
    Step::Mount {
        source: node.display().to_string(),
        target: target.into(),
        fstype: fstype.to_owned(),
        options: "ro".to_owned(),
    }
}

/// Mounts the OS image at `node` and shows its two folders where the OS root expects them.
pub(crate) fn os_image(node: &Path, fstype: &str) -> Vec<Planned> {
    let bind = |folder: &str, target: PathBuf| {
        must(Step::Bind {
            source: Path::new(OS_IMAGE).join(folder),
            target,
        })
    };
    vec![
        must(read_only(node, OS_IMAGE, fstype)),
        bind("os", NEW_ROOT.into()),
        bind("system-docker", Path::new(NEW_ROOT).join(IMAGE_STORE)),
    ]
}

/// The folders of [`os_image`].
pub(crate) fn os_image_folders() -> [&'static str; 2] {
    [NEW_ROOT, OS_IMAGE]
}

/// A folder in memory for a copy of the OS image.
pub(crate) fn image_in_memory(bytes: u64) -> (PathBuf, Step) {
    const SLACK: u64 = 1 << 20;
    let size = bytes + SLACK;
    let step = mount("tmpfs", IMAGE_IN_MEMORY, &format!("mode=0700,size={size}"));
    (IMAGE_IN_MEMORY.into(), step)
}

/// The change from the initrd to the OS root.
pub(crate) fn switch_root() -> Vec<Planned> {
    let mut plan: Vec<Planned> = ["dev", "proc", "sys", "run"]
        .into_iter()
        .map(|name| {
            must(Step::MoveMount {
                source: Path::new("/").join(name),
                target: Path::new(NEW_ROOT).join(name),
            })
        })
        .collect();
    plan.push(must(Step::FreeInitrd { root: "/".into() }));
    plan.push(must(Step::SwitchRoot {
        new_root: NEW_ROOT.into(),
    }));
    plan
}

/// Mounts and folders that the OS root needs and the initrd does not.
pub(crate) fn system_mounts(machine: &HostFacts) -> Vec<Planned> {
    let in_memory = |percent| {
        format!(
            "nosuid,nodev,mode=1777,size={}",
            memory_size(machine, percent)
        )
    };
    let [network_run, cloud_init_run] = paths::SERVICE_RUNS;
    vec![
        must(mount(
            "devpts",
            "/dev/pts",
            "nosuid,noexec,mode=0620,gid=5,ptmxmode=0666",
        )),
        must(mount("tmpfs", "/dev/shm", &in_memory(SHM_PERCENT))),
        may(mount("mqueue", "/dev/mqueue", "nosuid,nodev,noexec")),
        must(mount(
            "cgroup2",
            "/sys/fs/cgroup",
            "nosuid,nodev,noexec,nsdelegate,memory_recursiveprot",
        )),
        may(mount("bpf", "/sys/fs/bpf", "nosuid,nodev,noexec,mode=0700")),
        must(mount("tmpfs", "/tmp", &in_memory(TMP_PERCENT))),
        // RancherOS shares /mnt and /media with every system container, so each container sees the mounts of the
        // others.
        must(mount("tmpfs", "/mnt", "nosuid,nodev,mode=0755,size=1m")),
        must(mount("tmpfs", "/media", "nosuid,nodev,mode=0755,size=1m")),
        may(Step::Tell {
            path: "/sys/fs/cgroup/cgroup.subtree_control".into(),
            content: "+cpuset +cpu +io +memory +pids".to_owned(),
        }),
        // The kernel protects the memory of a cgroup, and of no process in the outermost. What PID 1 starts is in its own.
        may(folder(paths::SYSTEM_CGROUP, 0o755)),
        may(Step::Tell {
            path: Path::new(paths::SYSTEM_CGROUP).join("cgroup.procs"),
            content: "0".to_owned(),
        }),
        may(Step::Tell {
            path: "/proc/sys/kernel/pid_max".into(),
            content: "4194304".to_owned(),
        }),
        // The processes that PID 1 starts inherit it; each container has a value of its own.
        may(Step::Tell {
            path: "/proc/self/oom_score_adj".into(),
            content: "-999".to_owned(),
        }),
        may(Step::LoopbackUp),
        may(folder("/run/lock", 0o1777)),
        may(folder(paths::LOG_RUN, 0o755)),
        may(folder(paths::USER_DOCKER_RUN, 0o755)),
        may(folder(paths::UDEV_RUN, 0o755)),
        may(folder(DONE_SERVICES, 0o755)),
        may(folder(STOPPED_SERVICES, 0o755)),
        may(folder(paths::CONTROL_RUN, 0o755)),
        may(folder(network_run, 0o755)),
        may(folder(cloud_init_run, 0o700)),
        may(Step::Link {
            path: "/dev/log".into(),
            to: paths::LOG_SOCKET.into(),
        }),
        may(Step::Link {
            path: paths::DOCKER_SOCKET.into(),
            to: "user-docker/docker.sock".into(),
        }),
    ]
}

/// The memory in MiB that the engines and the system's containers need. Files in memory do not take it.
const SYSTEM_MIB: u64 = 160;
/// The parts of the other memory, in percent, that the folders in memory take at most. Together they end in "no space
/// left" and not in the death of processes: the kernel can kill a process, and cannot free a file in memory.
const TMP_PERCENT: u64 = 20;
const SHM_PERCENT: u64 = 10;
const STATE_PERCENT: u64 = 60;

/// A size as an option of tmpfs: this part of the memory that nothing else needs.
fn memory_size(machine: &HostFacts, percent: u64) -> String {
    // A machine with very little memory has some room too.
    let smallest = machine.available_mib / 4;
    let room = machine.available_mib.saturating_sub(SYSTEM_MIB);
    format!("{}m", (room.max(smallest) * percent / 100).max(1))
}

/// The size of `/state` in memory.
pub(crate) fn state_size(machine: &HostFacts) -> String {
    memory_size(machine, STATE_PERCENT)
}

/// A machine with less memory switches huge pages off, because they need too much of it.
const HUGE_PAGES_MIB: u64 = 2048;

/// Gives huge pages only to programs that ask for them. Huge pages for all programs make each small process of the
/// engines several megabytes bigger. Without huge pages the kernel also reserves less memory (`vm.min_free_kbytes`): a
/// tenth of a 1 GiB machine.
pub(crate) fn huge_pages(machine: &HostFacts) -> Vec<Planned> {
    let mode = if machine.memory_mib < HUGE_PAGES_MIB {
        "never"
    } else {
        "madvise"
    };
    vec![may(Step::Tell {
        path: "/sys/kernel/mm/transparent_hugepage/enabled".into(),
        content: mode.to_owned(),
    })]
}

/// Mounts the writable folders of the state filesystem over the read-only root.
pub(crate) fn writable_folders() -> Vec<Planned> {
    let below = Path::new(STATE);
    let paddock = below.join(PADDOCK_FOLDER);
    let mut plan = vec![
        must(folder(below, 0o755)),
        must(folder(below.join("home"), 0o755)),
        must(folder(below.join("opt"), 0o755)),
        must(folder(below.join("var"), 0o755)),
        must(folder(paddock.join("etc"), 0o755)),
        must(folder(paddock.join("etc-work"), 0o755)),
        must(folder(paddock.join("system-docker"), 0o710)),
    ];
    for name in ["log", "lib", "cache", "spool", "tmp"] {
        plan.push(must(folder(
            below.join("var").join(name),
            if name == "tmp" { 0o1777 } else { 0o755 },
        )));
    }
    for (name, mode) in [
        ("user-docker", 0o710),
        ("docker", 0o710),
        ("system-docker", 0o710),
        ("kubelet", 0o755),
    ] {
        plan.push(must(folder(below.join("var/lib").join(name), mode)));
    }
    let configs = Path::new(below_root(CONF)).join(CLOUD_CONFIG_FOLDER);
    for (name, mode) in [
        (configs.as_path(), 0o700),
        (Path::new(below_root(CACHE)), 0o755),
        (Path::new(below_root(PRELOAD)), 0o755),
    ] {
        plan.push(must(folder(below.join(name), mode)));
    }
    plan.extend([
        may(Step::Link {
            path: below.join("var/run"),
            to: "../run".into(),
        }),
        may(Step::Link {
            path: below.join("var/lock"),
            to: "../run/lock".into(),
        }),
        // `apt` in the console looks here for the package database, which each image has beside its packages.
        may(Step::Link {
            path: below.join("var/lib/dpkg"),
            to: "../../usr/lib/sysimage/dpkg".into(),
        }),
        must(Step::Bind {
            source: below.join("var"),
            target: "/var".into(),
        }),
        must(Step::Bind {
            source: below.join("home"),
            target: "/home".into(),
        }),
        // Users write here. Containers' layers and volumes are below /var and need both.
        may(Step::Restrict {
            target: "/home".into(),
        }),
        must(Step::Bind {
            source: below.join("opt"),
            target: "/opt".into(),
        }),
        must(Step::Mount {
            source: "overlay".to_owned(),
            target: "/etc".into(),
            fstype: "overlay".to_owned(),
            options: format!(
                "lowerdir=/etc,upperdir={0}/etc,workdir={0}/etc-work",
                paddock.display()
            ),
        }),
        // The data has a folder of its own outside /state/var/lib: the console and User Docker have /state/var/lib as
        // their /var/lib and must not see it.
        bind_system_docker(),
        must(Step::Bind {
            source: below.join("var/lib/user-docker"),
            target: "/var/lib/docker".into(),
        }),
        // The console and User Docker have /state/var/lib as their /var/lib.
        must(Step::Bind {
            source: below.join("var/lib/user-docker"),
            target: below.join("var/lib/docker"),
        }),
        must(Step::Share { target: "/".into() }),
        may(Step::SystemAccounts {
            from: Path::new(OS_IMAGE).join("os/etc"),
            to: "/etc".into(),
        }),
        may(Step::ClockNotBefore {
            image: "/usr/sbin/init".into(),
            recorded: paths::CLOCK.into(),
        }),
        // Containers mount /etc/resolv.conf and /etc/hosts as files, so both must exist before the first container
        // starts.
        may(Step::WriteIfMissing {
            path: "/etc/resolv.conf".into(),
            content: String::new(),
        }),
        may(Step::WriteIfMissing {
            path: "/etc/hosts".into(),
            content: "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned(),
        }),
    ]);
    plan
}

/// The folder of System Docker's data on the state filesystem.
pub(crate) fn system_docker_folder() -> PathBuf {
    Path::new(STATE).join(PADDOCK_FOLDER).join("system-docker")
}

fn bind_system_docker() -> Planned {
    must(Step::Bind {
        source: system_docker_folder(),
        target: SYSTEM_DOCKER_DATA.into(),
    })
}

/// An empty folder for System Docker's data, where it belongs.
pub(crate) fn system_docker_data() -> Vec<Planned> {
    vec![
        must(folder(system_docker_folder(), 0o710)),
        bind_system_docker(),
    ]
}

/// Installs System Docker's image store on the mounted state.
pub(crate) fn image_store() -> Vec<Planned> {
    vec![must(Step::ImageStore {
        from: Path::new("/").join(IMAGE_STORE),
        to: SYSTEM_DOCKER_DATA.into(),
    })]
}

/// Installs the image store in memory, for a state that cannot take it: a full or damaged disk. The machine has its
/// login and its own services, and the data on the disk stays as it is.
pub(crate) fn image_store_in_memory() -> Vec<Planned> {
    let mut plan = vec![must(mount(
        "tmpfs",
        SYSTEM_DOCKER_DATA,
        "mode=0710,size=15%",
    ))];
    plan.extend(image_store());
    plan
}

#[cfg(test)]
mod tests {
    use super::{early_mounts, huge_pages, state_size, system_mounts, writable_folders};
    use host::facts::HostFacts;
    use host::step::Planned;

    fn lines(plan: &[Planned]) -> Vec<String> {
        plan.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn system_docker_is_mounted_apart_from_var_lib() {
        let plan = lines(&writable_folders());
        for line in [
            "must bind /state/paddock/system-docker on /var/lib/system-docker",
            "must bind /state/var/lib/user-docker on /var/lib/docker",
        ] {
            assert!(plan.contains(&line.to_owned()), "{line}");
        }
    }

    #[test]
    fn folders_in_memory_leave_the_system_its_memory() {
        for (memory_mib, available_mib) in [(512, 420), (1024, 900), (65536, 64000)] {
            let machine = HostFacts {
                memory_mib,
                available_mib,
                ..HostFacts::default()
            };
            let size_of = |line: &str| -> u64 {
                let (_, size) = line.rsplit_once("size=").unwrap();
                let size = size.trim_end_matches(')');
                match size.split_at(size.len() - 1) {
                    (mib, "m") => mib.parse().unwrap(),
                    (percent, "%") => memory_mib * percent.parse::<u64>().unwrap() / 100,
                    other => panic!("{other:?}"),
                }
            };
            let mut plan = early_mounts();
            plan.extend(system_mounts(&machine));
            let sizes: Vec<u64> = lines(&plan)
                .iter()
                .filter(|line| line.contains("(tmpfs"))
                .map(|line| size_of(line))
                .collect();
            assert_eq!(sizes.len(), 5, "/run, /dev/shm, /tmp, /mnt, /media");
            let state: u64 = state_size(&machine).trim_end_matches('m').parse().unwrap();
            let total = sizes.iter().sum::<u64>() + state;
            assert!(
                total + 128 <= available_mib,
                "{total} of {available_mib} MB"
            );
        }
    }

    #[test]
    fn huge_pages_are_for_big_machines() {
        for (memory_mib, expected) in [(512, "never"), (4096, "madvise")] {
            let machine = HostFacts {
                memory_mib,
                ..HostFacts::default()
            };
            assert!(lines(&huge_pages(&machine))[0].contains(expected));
        }
    }
}
