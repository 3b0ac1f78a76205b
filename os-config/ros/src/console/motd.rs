//! The message that every login shows.

use anyhow::{Context, Result};
use os_config::LoadedConfig;

/// Writes the message: the first commands, and whether the configuration has problems.
pub(super) fn write(loaded: &LoadedConfig) -> Result<()> {
    let mut text = String::from(
        "\nPaddockOS: every service here is a container.\n\
         \x20 docker ps          your containers\n\
         \x20 system-docker ps   the system's (as root)\n\
         \x20 ros --help         settings, services, power\n\n",
    );
    // Every user reads the message, so it shows no text of the configuration.
    if !loaded.problems.is_empty() {
        text.push_str(
            "The configuration has problems: `sudo ros config validate` explains them.\n\n",
        );
    }
    // Each start of the console writes it again, and only users read it.
    std::fs::write("/etc/motd", text).context("writing /etc/motd")
}
