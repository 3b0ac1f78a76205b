//! Keeps the logs of the boot on the state disk, and those of the boot before: the kernel's log and the files in memory are
//! gone after a reboot.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use host::paths::{BOOT_LOGS, PROBLEMS, TIMELINE};
use host::proc::kernel_log;
use os_config::{atomic_file, bounded_file, load};

use crate::inspect::secrets::{mask_kernel_line, redact, secrets};

/// The limit for a log, in bytes. The kernel's own is four times smaller on a small machine.
const LARGEST: usize = 1 << 20;

/// Writes the logs, without secrets, for root alone.
pub(super) fn save() -> Result<()> {
    let secrets = secrets(&load::hidden_texts(Path::new("/")));
    let line = host::kernel_line::read(Path::new("/"));
    // The files are in memory, and a boot without problems has no list of them.
    let file = |path| bounded_file::text(Path::new(path)).unwrap_or_default();
    for (name, text) in [
        ("kernel.log", kernel_log::text(&kernel_log::records())),
        ("problems.jsonl", file(PROBLEMS)),
        ("boot-time.jsonl", file(TIMELINE)),
    ] {
        let text = mask_kernel_line(&redact(&text, &secrets), &line);
        replace(Path::new(BOOT_LOGS), name, last_lines(&text, LARGEST))?;
    }
    Ok(())
}

/// Replaces a log of a folder; the log that was there gets the ending `.1`.
fn replace(folder: &Path, name: &str, text: &str) -> Result<()> {
    let (file, before) = (folder.join(name), folder.join(format!("{name}.1")));
    match fs::rename(&file, &before) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("renaming {}", file.display()));
        }
        _ => {}
    }
    atomic_file::replace(&file, text.as_bytes(), 0o600)
        .with_context(|| format!("writing {}", file.display()))
}

/// The last whole lines of a text that fit into `limit` bytes.
fn last_lines(text: &str, limit: usize) -> &str {
    let mut start = text.len();
    for line in text.split_inclusive('\n').rev() {
        if text.len() - start + line.len() > limit {
            break;
        }
        start -= line.len();
    }
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::{last_lines, replace};

    #[test]
    fn the_logs_of_two_boots_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("boot");
        for boot in ["first", "second", "third"] {
            replace(&folder, "kernel.log", boot).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(read("kernel.log"), "third");
        assert_eq!(read("kernel.log.1"), "second");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        let mode = fs::metadata(folder.join("kernel.log"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }

    #[test]
    fn a_long_log_keeps_its_end() {
        for (limit, expected) in [
            (100, "moo\nbaa\nquack"),
            (9, "baa\nquack"),
            (8, "quack"),
            (4, ""),
        ] {
            assert_eq!(last_lines("moo\nbaa\nquack", limit), expected, "{limit}");
        }
    }
}
