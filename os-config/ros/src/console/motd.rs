//! The message that every login shows, above the `/etc/motd` of the user's.

use anyhow::{Context, Result};
use host::paths::MOTD;
use os_config::LoadedConfig;

/// Writes the message.
pub(super) fn write(loaded: &LoadedConfig) -> Result<()> {
    std::fs::write(MOTD, text(loaded)).with_context(|| format!("writing {MOTD}"))
}

/// The first commands, and whether the configuration has problems.
fn text(loaded: &LoadedConfig) -> String {
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
    text
}

#[cfg(test)]
mod tests {
    use super::text;
    use os_config::load::load;

    #[test]
    fn the_message_tells_of_problems_and_shows_none() {
        let root = tempfile::tempdir().unwrap();
        let without = text(&load(root.path()));
        assert!(!without.contains("problems"), "{without}");
        let folder = root.path().join("var/lib/rancher/conf");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("cloud-config.yml"), "runcmd: {moo: x}\n").unwrap();
        let loaded = load(root.path());
        assert!(!loaded.problems.is_empty());
        let with = text(&loaded);
        assert!(with.contains("sudo ros config validate"), "{with}");
        assert!(!with.contains("moo") && !with.contains("runcmd"), "{with}");
    }
}
