//! The files of `ros config`: cloud-configs that it reads, and files that it replaces as a whole.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use os_config::bounded_file;

/// Reads a file, or standard input if the name is missing or `-`. Returns the name for messages, and the content.
pub(super) fn read_input(input: Option<&Path>) -> Result<(String, Vec<u8>)> {
    let (name, bytes) = match input {
        // A shell's `<(…)` is a pipe.
        Some(file) if file != Path::new("-") => (
            file.display().to_string(),
            File::open(file).and_then(bounded_file::all_of),
        ),
        _ => (
            "standard input".to_owned(),
            bounded_file::all_of(std::io::stdin()),
        ),
    };
    let bytes = bytes.with_context(|| format!("reading {name}"))?;
    Ok((name, bytes))
}

pub(super) fn write(file: &Path, text: &str, mode: u32) -> Result<()> {
    os_config::atomic_file::replace(file, text.as_bytes(), mode).map_err(|error| {
        let hint = hint(error.kind());
        anyhow::Error::new(error).context(format!("writing {}{hint}", file.display()))
    })
}

fn hint(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::PermissionDenied => " (are you root?)",
        ErrorKind::StorageFull => {
            " (nothing was changed; hint: make room, for example by `docker image prune --all`)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::write;

    #[test]
    fn an_error_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        write(&file, "text", 0o600).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
        let error = write(Path::new("/proc/file"), "text", 0o600).unwrap_err();
        assert!(!error.to_string().contains("root"), "{error:#}");
        let full = super::hint(std::io::ErrorKind::StorageFull);
        assert!(full.contains("make room"), "{full}");
    }
}
