//! Commands for root only.

use anyhow::Result;

/// Refuses other users than root, to whom sockets, configuration and keys belong. `command` goes into the hint.
pub(crate) fn require_root(command: &str) -> Result<()> {
    anyhow::ensure!(
        nix::unistd::geteuid().is_root(),
        "this needs root\nhint: sudo {command}"
    );
    Ok(())
}
