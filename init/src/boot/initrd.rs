//! The work of stage 1, in the initrd: from the first mount to the start of the OS image's init.

use std::path::Path;

use anyhow::{Context, Result};

use crate::background::Task;
use crate::plan::mounts;
use host::console;
use host::kernel_line;
use host::modules::Modules;
use host::perform;

/// Mounts the kernel's filesystems, opens the kernel log, starts the gathering of randomness and returns the kernel
/// line.
pub(crate) fn mount_and_open_log() -> Result<String> {
    // No console shows a line before /dev and /proc are there.
    perform::run_plan(&mounts::early_mounts(), |text| log::warn!("{text}"))?;
    let line = kernel_line::read(Path::new("/"));
    console::log_to_kernel(kernel_line::is_on(&line, "rancher.debug"));
    Task::GatherEntropy.start_or_warn();
    Ok(line)
}

/// SHA-256 by the processor's own instructions. The kernel checks the signature of each module over its SHA-256, and
/// takes several times the instructions without it.
const MODULE_DIGEST: &str = "sha256_ssse3";

/// Loads the drivers of the hardware and returns how many devices were new.
pub(crate) fn load_drivers(modules: &mut Modules) -> String {
    // An old processor has none of the instructions.
    if let Err(error) = modules.load(MODULE_DIGEST, "") {
        log::debug!("{error:#}");
    }
    let found = modules.load_for_hardware(Path::new("/"), |_| true);
    format!("{found} devices")
}

/// Moves the mounts over, frees the initrd and makes the OS image the root.
pub(crate) fn switch_root() -> Result<()> {
    perform::run_plan(&mounts::switch_root(), |text| log::warn!("{text}"))
}

/// Becomes the OS image's init. Returns only on an error.
pub(crate) fn start_stage2() -> Result<()> {
    let arguments = [c"init", c"stage2"];
    nix::unistd::execv(c"/usr/sbin/init", &arguments).context("starting /usr/sbin/init")?;
    Ok(())
}
