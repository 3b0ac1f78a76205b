//! Counts the reboots of a rescue console at which nobody was, on the state disk. A boot that comes up ends the row.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::block;
use host::facts;
use host::modules::Modules;
use host::paths::{RESCUE_REBOOTS, STATE};
use host::perform::{self, unmount};
use host::proc::mount_table;
use os_config::{State, atomic_file, bounded_file};

use crate::plan::{rescue, state_disk};

/// Adds a reboot, and returns the number of reboots before it.
pub(crate) fn add() -> Result<u32> {
    let mounts = mount_table::read(Path::new(mount_table::THIS_PROCESS))?;
    if mount_table::find(&mounts, Path::new(STATE)).is_some() {
        return add_to(Path::new(RESCUE_REBOOTS));
    }
    let devices = block::devices(Path::new("/"));
    let candidates = state_disk::candidates(&State::default(), &devices);
    let device = candidates.first().context("no state disk")?;
    let mut modules = Modules::read(Path::new("/"), &facts::kernel_release());
    let _ = modules.load(device.superblock.fstype, "");
    let (mount, step) = state_disk::rescue_mount(device);
    perform::run_step(&step)?;
    let below = Path::new(RESCUE_REBOOTS).strip_prefix(STATE);
    let count = add_to(&below.map_or_else(|_| PathBuf::new(), |below| mount.join(below)));
    unmount::try_unmount(&mount);
    count
}

fn add_to(file: &Path) -> Result<u32> {
    let earlier = rescue::parse_count(&bounded_file::text(file).unwrap_or_default());
    let text = format!("{}\n", earlier.saturating_add(1));
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    atomic_file::replace(file, text.as_bytes(), 0o644)
        .with_context(|| format!("writing {}", file.display()))?;
    Ok(earlier)
}

#[cfg(test)]
mod tests {
    use super::add_to;

    #[test]
    fn reboots_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("paddock/rescue-reboots");
        let earlier: Vec<u32> = (0..5).map(|_| add_to(&file).unwrap()).collect();
        assert_eq!(earlier, [0, 1, 2, 3, 4]);
        std::fs::write(&file, "").unwrap();
        assert_eq!(add_to(&file).unwrap(), 0);
    }
}
