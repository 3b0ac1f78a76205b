//! `write_files` of cloud-config: content, encoding, owner, permissions; every file written whole or not at all.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use os_config::{Config, WriteFile};

/// Writes the files meant for the system container `container`; an empty name means the console.
///
/// Every file is tried; the error names all that could not be written.
pub(crate) fn write_all(config: &Config, container: &str) -> Result<()> {
    let mut failed = Vec::new();
    for file in &config.write_files {
        let meant_for = match file.container.as_deref() {
            None | Some("") => "console",
            Some(name) => name,
        };
        if meant_for == container
            && let Err(error) = write(file)
        {
            failed.push(format!("{error:#}"));
        }
    }
    anyhow::ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

fn write(file: &WriteFile) -> Result<()> {
    let path = Path::new(&file.path);
    anyhow::ensure!(
        path.is_absolute(),
        "write_files: the path {:?} is not absolute",
        file.path
    );
    let content = file
        .decode()
        .with_context(|| format!("write_files: {}", file.path))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let mode = file
        .mode()
        .with_context(|| format!("write_files: {}", file.path))?;
    let temporary = path.with_file_name(format!(
        ".{}.new",
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    fs::write(&temporary, content).with_context(|| format!("writing {}", temporary.display()))?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(mode))
        .with_context(|| format!("setting the mode of {}", path.display()))?;
    if let Some(owner) = file.owner.as_deref().filter(|owner| !owner.is_empty()) {
        // chown(1) reads names and numbers, with and without a group, as users of write_files know it.
        let output = Command::new("/bin/chown")
            .args(["--", owner])
            .arg(&temporary)
            .output()
            .context("starting chown")?;
        anyhow::ensure!(
            output.status.success(),
            "write_files: {}: owner {owner:?}: {}",
            file.path,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    fs::rename(&temporary, path).with_context(|| format!("writing {}", path.display()))
}
