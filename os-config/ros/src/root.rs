//! Commands for root only.

use anyhow::Result;

/// Sockets, configuration and keys are root's; `command` is what to type instead.
pub(crate) fn require_root(command: &str) -> Result<()> {
    anyhow::ensure!(
        nix::unistd::geteuid().is_root(),
        "this needs root\nhint: sudo {command}"
    );
    Ok(())
}
