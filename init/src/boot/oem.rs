//! Mounts the vendor's partition as `plan::oem` decides.

use std::path::Path;
use std::time::Duration;

use os_config::Config;

use crate::plan::oem::{self, Candidate};
use host::block::{self, DeviceName};
use host::facts;
use host::modules::Modules;
use host::perform::mount::mount_within;
use host::problems::{self, ProblemRecord};

/// The limit for the mount of a disk.
const MOUNT_TIMEOUT: Duration = Duration::from_secs(20);

/// Mounts the vendor's partition, and returns whether it is mounted. A machine without it is the usual case.
pub(crate) fn mount(config: &Config) -> bool {
    let root = Path::new("/");
    let Some(dev) = config.rancher.state.oem_dev.as_deref() else {
        return false;
    };
    let own = block::own_disks(root);
    let found = block::find(root, &DeviceName::parse(dev)).into_iter();
    let candidates = found.map(|device| Candidate {
        is_own: block::disk_of(root, &device.node).is_some_and(|disk| own.contains(&disk)),
        is_removable: block::is_removable(root, &device.node),
        device,
    });
    let (chosen, problems) = oem::choose(candidates.collect(), config, facts::is_first_boot(root));
    for problem in problems {
        problems::report(&problem);
    }
    let Some(device) = chosen else {
        return false;
    };
    let mut modules = Modules::read(root, &facts::kernel_release());
    let _ = modules.load(device.superblock.fstype, "");
    match mount_within(MOUNT_TIMEOUT, &oem::mount(&device)) {
        Ok(()) => true,
        Err(error) => {
            problems::report(&ProblemRecord::error("oem", dev, format!("{error:#}")));
            false
        }
    }
}
