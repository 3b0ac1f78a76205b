//! Refuses other users than root, with the same message in every command that needs root.

use anyhow::Result;

/// Refuses other users, because sockets, configuration and keys belong to root. `command` goes into the hint.
pub(crate) fn require_root(command: &str) -> Result<()> {
    anyhow::ensure!(
        nix::unistd::geteuid().is_root(),
        "this needs root\nhint: sudo {command}"
    );
    Ok(())
}
