//! `docker-NAME`: the command that talks to an extra engine.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use os_config::keys::extra_engines::ExtraEngine;
use os_config::{Config, atomic_file};

const FOLDER: &str = "/usr/local/bin";

/// Writes the command of each extra engine.
pub(crate) fn write_all(config: &Config) -> Result<()> {
    for name in config.rancher.engines.keys() {
        let file = path(name);
        let text = format!(
            "#!/bin/sh\n# docker, talking to the further engine {name}\nexec docker -H unix://{} \"$@\"\n",
            ExtraEngine::socket(name)
        );
        atomic_file::replace(&file, text.as_bytes(), 0o755)
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

/// Removes the command of an extra engine.
pub(super) fn remove(name: &str) -> Result<()> {
    let file = path(name);
    if file.exists() {
        fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
    }
    Ok(())
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("{FOLDER}/docker-{name}"))
}
