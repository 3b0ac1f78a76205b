//! The limits of containers. What they may not take is left for the engines, for logins and for System Docker: a fork
//! bomb or a leak in a container ends in that container.
//!
//! `ros sysinit` limits all User Dockers of the machine together, in the cgroup of their containers. Each User Docker
//! limits its own containers below that, so that it keeps room beside them. A container with a `--cgroup-parent` of its own
//! is outside the second limit and inside the first.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::paths::{SYSTEM_CGROUP, SYSTEM_CONTAINERS_CGROUP, USER_DOCKER_CGROUP};
use host::proc::memory::Memory;
use host::zram;
use os_config::Config;

/// The cgroup in which dockerd makes the cgroups of its containers, unless it is told another.
const DEFAULT_PARENT: &str = "docker";
const MIB: u64 = 1 << 20;
/// Processes that are left for the system.
const RESERVED_PROCESSES: u64 = 2048;
/// The memory of an engine's own daemons, which the kernel takes last. `service.yml` of the docker image has it too, because
/// the part of a cgroup is bounded by the part of the cgroup above it.
const ENGINE_BYTES: u64 = 64 * MIB;

/// What the machine has, and what is left for the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Capacity {
    memory_bytes: u64,
    max_processes: u64,
}

impl Capacity {
    fn read() -> Result<Self> {
        let number = |file: &str| -> Result<u64> {
            let text = fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
            text.trim()
                .parse()
                .with_context(|| format!("reading {file}"))
        };
        let memory_bytes = Memory::read(Path::new("/")).total_kib << 10;
        // Without /proc/meminfo a limit would be 0.
        anyhow::ensure!(memory_bytes > 0, "reading the size of the memory");
        Ok(Self {
            memory_bytes,
            // The kernel has a limit of numbers and a limit by memory.
            max_processes: number("/proc/sys/kernel/pid_max")?
                .min(number("/proc/sys/kernel/threads-max")?),
        })
    }

    /// A tenth of the memory, at least 400 and at most 1024 MiB, but no more than half of it. Both engines and the
    /// system's services take 210 MiB when idle, and work with 150 MiB of their programs' pages. With less than that left
    /// the kernel throws these pages out and reads them again all the time: with 256 MiB a container that took all that it
    /// got kept a machine of 1 GiB from every login, with 400 a login took 3 s.
    fn reserved_bytes(self) -> u64 {
        let reserve = (self.memory_bytes / 10).clamp(400 * MIB, 1024 * MIB);
        reserve.min(self.memory_bytes / 2)
    }

    /// 2048 processes, or a quarter of all.
    fn reserved_processes(self) -> u64 {
        RESERVED_PROCESSES.min(self.max_processes / 4)
    }
}

/// A value of a cgroup: the file of the kernel, and its text.
type Value = (&'static str, u64);

/// The limits of the containers of one engine.
fn of_containers(capacity: Capacity) -> [Value; 2] {
    [
        (
            "memory.max",
            capacity.memory_bytes - capacity.reserved_bytes(),
        ),
        (
            "pids.max",
            capacity.max_processes - capacity.reserved_processes(),
        ),
    ]
}

/// The limits of all User Dockers together, their daemons included, and the memory that the kernel leaves to the system.
///
/// An engine takes three eighths of the reserve for itself and the kernel's work for it. Of the other five, System
/// Docker's daemons with PID 1 and the system's containers with sshd have two each for certain. There is no `memory.high`: a
/// container that leaks would be slowed down for hours instead of ended.
fn of_machine(capacity: Capacity) -> [(&'static str, Value); 5] {
    let reserve = capacity.reserved_bytes();
    [
        (SYSTEM_CGROUP, ("memory.min", reserve / 4)),
        (SYSTEM_CONTAINERS_CGROUP, ("memory.min", reserve / 4)),
        (
            USER_DOCKER_CGROUP,
            ("memory.max", capacity.memory_bytes - reserve / 8 * 5),
        ),
        (USER_DOCKER_CGROUP, ("memory.low", ENGINE_BYTES)),
        (
            USER_DOCKER_CGROUP,
            (
                "pids.max",
                capacity.max_processes - capacity.reserved_processes() / 2,
            ),
        ),
    ]
}

/// The cgroup of all containers, below `cgroups`. `parent` is dockerd's `--cgroup-parent`.
pub(in crate::user_docker) fn cgroup(cgroups: &Path, parent: Option<&str>) -> PathBuf {
    cgroups.join(parent.unwrap_or(DEFAULT_PARENT).trim_start_matches('/'))
}

/// Sets the limits of the containers in the cgroup `parent`.
pub(in crate::user_docker) fn set(parent: &Path) -> Result<()> {
    of_containers(Capacity::read()?)
        .into_iter()
        .try_for_each(|value| write(parent, value))
}

/// Keeps the containers in the cgroup `parent` out of the machine's swap space in memory. They would take the memory there
/// that their limit leaves to the system.
pub(in crate::user_docker) fn bar_from_zram(parent: &Path, config: &Config) -> Result<()> {
    of_swap_space(Capacity::read()?, config).map_or(Ok(()), |value| write(parent, value))
}

/// The limit of swap space for containers. Swap space of the configuration has none.
fn of_swap_space(capacity: Capacity, config: &Config) -> Option<Value> {
    zram::size_mib(config, capacity.memory_bytes / MIB).map(|_| ("memory.swap.max", 0))
}

/// Asks the kernel to take the memory of an engine's daemons, which are in the cgroup `daemons`, last.
pub(in crate::user_docker) fn protect(daemons: &Path) -> Result<()> {
    write(daemons, ("memory.low", ENGINE_BYTES))
}

/// Sets the limits of the machine. The cgroups are below `root`. A limit that fails costs no other limit.
pub(crate) fn set_for_machine(root: &Path) -> Result<()> {
    let values = of_machine(Capacity::read()?).into_iter();
    values
        .map(|(cgroup, value)| write(&root.join(cgroup.trim_start_matches('/')), value))
        .fold(Ok(()), Result::and)
}

fn write(cgroup: &Path, (file, value): Value) -> Result<()> {
    fs::create_dir_all(cgroup).with_context(|| format!("making {}", cgroup.display()))?;
    let file = cgroup.join(file);
    fs::write(&file, value.to_string()).with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::{
        Capacity, ENGINE_BYTES, MIB, Value, of_containers, of_machine, of_swap_space,
        set_for_machine,
    };
    use host::paths::{SYSTEM_CGROUP, SYSTEM_CONTAINERS_CGROUP, USER_DOCKER_CGROUP};
    use os_config::{Config, Swap};
    use std::fs;

    const MACHINES: [Capacity; 6] = [
        machine(0, 0),
        machine(128, 900),
        machine(512, 3_800),
        machine(2048, 15_600),
        machine(4096, 31_200),
        machine(65_536, 4_194_304),
    ];

    const fn machine(mib: u64, max_processes: u64) -> Capacity {
        Capacity {
            memory_bytes: mib * MIB,
            max_processes,
        }
    }

    fn value(values: impl IntoIterator<Item = Value>, file: &str) -> u64 {
        let found = values.into_iter().find(|(name, _)| *name == file);
        found.unwrap().1
    }

    fn machine_value(capacity: Capacity, cgroup: &str, file: &str) -> u64 {
        let values = of_machine(capacity).into_iter();
        let values = values.filter(|(name, _)| *name == cgroup);
        value(values.map(|(_, value)| value), file)
    }

    #[test]
    fn the_system_keeps_memory_and_processes() {
        let expected = [
            (0, 0),
            (64, 675),
            (256, 2_850),
            (400, 13_552),
            (409, 29_152),
            (1024, 4_192_256),
        ];
        for (capacity, (memory_left, processes)) in MACHINES.into_iter().zip(expected) {
            let containers = of_containers(capacity);
            assert_eq!(value(containers, "pids.max"), processes, "{capacity:?}");
            let left = capacity.memory_bytes - value(containers, "memory.max");
            assert_eq!(left / MIB, memory_left, "{capacity:?}");
        }
    }

    #[test]
    fn all_engines_together_leave_the_system_its_part() {
        for capacity in MACHINES {
            let containers = of_containers(capacity);
            let together = |file| machine_value(capacity, USER_DOCKER_CGROUP, file);
            // An engine has room beside its containers, for its daemons and for their processes.
            assert!(together("memory.max") >= value(containers, "memory.max"));
            assert!(together("pids.max") >= value(containers, "pids.max"));
            // The protected memory is outside the limit.
            let outside = capacity.memory_bytes - together("memory.max");
            let protected = machine_value(capacity, SYSTEM_CGROUP, "memory.min")
                + machine_value(capacity, SYSTEM_CONTAINERS_CGROUP, "memory.min");
            assert!(protected <= outside, "{capacity:?}");
            assert!(outside * 2 >= capacity.reserved_bytes(), "{capacity:?}");
        }
        let small = machine(512, 3_800);
        assert_eq!(
            machine_value(small, USER_DOCKER_CGROUP, "memory.max"),
            352 * MIB
        );
        assert_eq!(machine_value(small, USER_DOCKER_CGROUP, "pids.max"), 3_325);
    }

    #[test]
    fn containers_have_no_swap_space_but_the_configurations() {
        let with_swap_file = Config {
            swap: Some(Swap {
                file: "/var/lib/swapfile".into(),
                size: None,
                largest: None,
            }),
            ..Config::default()
        };
        let none = Some(("memory.swap.max", 0));
        for (mib, config, expected) in [
            (343, &Config::default(), none),
            (343, &with_swap_file, None),
            (960, &Config::default(), None),
        ] {
            let value = of_swap_space(machine(mib, 3_800), config);
            assert_eq!(value, expected, "{mib}");
        }
    }

    #[test]
    fn the_limits_stand_in_the_cgroups() {
        let root = tempfile::tempdir().unwrap();
        set_for_machine(root.path()).unwrap();
        let read = |cgroup: &str, file: &str| {
            let path = root.path().join(&cgroup[1..]).join(file);
            fs::read_to_string(path).unwrap().parse::<u64>().unwrap()
        };
        assert!(read(SYSTEM_CGROUP, "memory.min") > 0);
        assert!(read(SYSTEM_CONTAINERS_CGROUP, "memory.min") > 0);
        assert!(read(USER_DOCKER_CGROUP, "memory.max") > 0);
        assert!(read(USER_DOCKER_CGROUP, "pids.max") > 0);
    }

    /// The containers of User Docker and of extra engines are made in the limited cgroup.
    #[test]
    fn the_service_of_an_engine_is_below_the_limit() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../images/system/docker/service.yml"
        );
        let text = fs::read_to_string(file).unwrap();
        let services: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        let service = &services["docker"];
        let parent = service["cgroup_parent"].as_str().unwrap();
        assert_eq!(format!("/sys/fs/cgroup{parent}"), USER_DOCKER_CGROUP);
        let reserved = service["mem_reservation"].as_str().unwrap();
        assert_eq!(reserved, format!("{}m", ENGINE_BYTES / MIB));
    }
}
