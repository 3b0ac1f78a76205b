//! `write_files` of cloud-config: content, encoding, owner, permissions; every file written whole or not at all.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use os_config::whole_file::Unfinished;
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
    let mode = match path.metadata() {
        Ok(found) if file.append && file.permissions.is_none() => {
            found.permissions().mode() & 0o7777
        }
        _ => file
            .mode()
            .with_context(|| format!("write_files: {}", file.path))?,
    };
    let content = if file.append {
        match appended(fs::read(path).unwrap_or_default(), &content) {
            Some(content) => content,
            None => return Ok(()),
        }
    } else {
        content
    };
    let failed = || format!("writing {}", path.display());
    let unfinished = Unfinished::write(path, &content, mode).with_context(failed)?;
    if let Some(owner) = file.owner.as_deref().filter(|owner| !owner.is_empty()) {
        // chown(1) reads names and numbers, with and without a group, as users of write_files know it.
        let output = Command::new("/bin/chown")
            .args(["--", owner])
            .arg(unfinished.temporary())
            .output()
            .context("starting chown")?;
        anyhow::ensure!(
            output.status.success(),
            "write_files: {}: owner {owner:?}: {}",
            file.path,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    unfinished.put_in_place().with_context(failed)
}

/// A file's content with `addition` at its end; none if it holds it already: files are written at every
/// boot, and one on the state disk is not to grow by it.
fn appended(mut content: Vec<u8>, addition: &[u8]) -> Option<Vec<u8>> {
    let holds = content
        .windows(addition.len().max(1))
        .any(|part| part == addition);
    if holds || addition.is_empty() {
        return None;
    }
    content.extend_from_slice(addition);
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::appended;

    #[test]
    fn what_is_there_already_is_not_added_again() {
        let old = || b"a\nb\n".to_vec();
        assert_eq!(appended(old(), b"c\n").unwrap(), b"a\nb\nc\n");
        assert_eq!(appended(old(), b"b\n"), None);
        assert_eq!(appended(Vec::new(), b"b\n").unwrap(), b"b\n");
        assert_eq!(appended(old(), b""), None);
    }
}
