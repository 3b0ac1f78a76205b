//! The limits of all containers of an engine together. What they may not take is left for the engine, for logins and for
//! System Docker: a fork bomb or a leak in one container ends in that container.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::proc::memory::Memory;

/// The cgroup in which dockerd makes the cgroups of its containers, unless it is told another.
const DEFAULT_PARENT: &str = "docker";
const MIB: u64 = 1 << 20;
/// Processes that are left for the system.
const RESERVED_PROCESSES: u64 = 2048;

/// The limits of a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    memory_bytes: u64,
    processes: u64,
}

/// Leaves a tenth of the memory, at least 256 and at most 1024 MiB, but no more than half of it, and 2048 processes or a
/// quarter of them. Both engines and the system's services take 210 MiB when idle; with less than that left, the kernel
/// throws their programs out of memory and reads them again all the time.
fn limits(memory_bytes: u64, max_processes: u64) -> Limits {
    let reserve = (memory_bytes / 10).clamp(256 * MIB, 1024 * MIB);
    let reserve = reserve.min(memory_bytes / 2);
    Limits {
        memory_bytes: memory_bytes - reserve,
        processes: max_processes - RESERVED_PROCESSES.min(max_processes / 4),
    }
}

/// The cgroup of all containers, below `cgroups`. `parent` is dockerd's `--cgroup-parent`.
pub(in crate::user_docker) fn cgroup(cgroups: &Path, parent: Option<&str>) -> PathBuf {
    cgroups.join(parent.unwrap_or(DEFAULT_PARENT).trim_start_matches('/'))
}

/// Sets the limits of the containers in the cgroup `parent`.
pub(in crate::user_docker) fn set(parent: &Path) -> Result<()> {
    fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    let number = |file: &str| -> Result<u64> {
        let text = fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
        text.trim()
            .parse()
            .with_context(|| format!("reading {file}"))
    };
    // The kernel has a limit of numbers and a limit by memory.
    let max_processes =
        number("/proc/sys/kernel/pid_max")?.min(number("/proc/sys/kernel/threads-max")?);
    let memory_bytes = Memory::read(Path::new("/")).total_kib << 10;
    // Without /proc/meminfo a limit would be 0.
    anyhow::ensure!(memory_bytes > 0, "reading the size of the memory");
    let limits = limits(memory_bytes, max_processes);
    for (file, value) in [
        ("memory.max", limits.memory_bytes),
        ("pids.max", limits.processes),
    ] {
        let file = parent.join(file);
        fs::write(&file, value.to_string())
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Limits, MIB, limits};

    #[test]
    fn the_system_keeps_memory_and_processes() {
        for (memory, processes, memory_left, expected) in [
            (512, 3_800, 256, 2_850),
            (2048, 15_600, 256, 13_552),
            (4096, 31_200, 409, 29_152),
            (65_536, 4_194_304, 1024, 4_192_256),
            (128, 900, 64, 675),
        ] {
            let found = limits(memory * MIB, processes);
            assert_eq!(found.processes, expected, "{memory} MiB");
            assert_eq!(
                (memory * MIB - found.memory_bytes) / MIB,
                memory_left,
                "{memory} MiB"
            );
        }
        let nothing = limits(0, 0);
        assert_eq!(
            nothing,
            Limits {
                memory_bytes: 0,
                processes: 0
            }
        );
    }
}
