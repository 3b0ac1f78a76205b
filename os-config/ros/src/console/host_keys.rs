//! The host keys of sshd: those of `rancher.ssh.keys`, and keys that the machine makes and keeps.
//!
//! A key that cannot be used costs itself: the machine goes on with its other keys, and a working key stays where it is.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use os_config::atomic_file;

/// `/etc` belongs to the machine and is writable, so keys in it outlive the console container.
const FOLDER: &str = "/etc/ssh";
const KEYGEN: &str = "/usr/bin/ssh-keygen";
/// The types that sshd uses.
const KINDS: [&str; 3] = ["ed25519", "ecdsa", "rsa"];
/// The type of the host key that is made when missing: the only type that sshd offers without a key in the
/// configuration, and that every client of the last ten years knows.
const MADE_KIND: &str = "ed25519";

/// The folders of the host keys.
#[derive(Debug)]
pub(super) struct HostKeys<'a> {
    /// Outlives the boot.
    kept: &'a Path,
    /// In memory, for keys that cannot be kept.
    of_boot: &'a Path,
}

impl HostKeys<'static> {
    /// The machine's host keys. `of_boot` is a folder in memory.
    pub(super) fn of_machine(of_boot: &'static Path) -> Self {
        Self {
            kept: Path::new(FOLDER),
            of_boot,
        }
    }
}

impl HostKeys<'_> {
    /// Writes the keys of the configuration, makes missing keys, and returns the files of all keys. Each failure is a
    /// text in `failures`.
    pub(super) fn prepare(
        &self,
        configured: &BTreeMap<String, String>,
        failures: &mut Vec<String>,
    ) -> Vec<PathBuf> {
        let mut note = |result: Result<()>| {
            if let Err(error) = result {
                failures.push(format!("{error:#}"));
            }
        };
        for (name, text) in configured {
            note(
                self.write(name, text)
                    .with_context(|| format!("rancher.ssh.keys.{name}")),
            );
        }
        // In an earlier version a power cut could leave a key of length 0.
        if !holds_text(&file_in(self.kept, MADE_KIND)) {
            note(
                self.make(MADE_KIND)
                    .with_context(|| format!("making the {MADE_KIND} host key")),
            );
        }
        KINDS.iter().filter_map(|kind| self.find(kind)).collect()
    }

    /// The file of the key of a type, kept or of this boot.
    fn find(&self, kind: &str) -> Option<PathBuf> {
        let files = [self.kept, self.of_boot].map(|folder| file_in(folder, kind));
        files.into_iter().find(|file| holds_text(file))
    }

    /// Writes a key of the configuration, where RancherOS kept it, over the key on disk.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let (kind, suffix, mode) = match name.strip_suffix("-pub") {
            Some(kind) => (kind, ".pub", 0o644),
            None => (name, "", 0o600),
        };
        ensure!(
            matches!(kind, "rsa" | "dsa" | "ecdsa" | "ed25519"),
            "expected rsa, ecdsa or ed25519, with or without -pub"
        );
        let text = format!("{}\n", text.trim_end());
        let file = self.kept.join(format!("ssh_host_{kind}_key{suffix}"));
        if !fs::read_to_string(&file).is_ok_and(|found| found == text) {
            if suffix.is_empty() {
                ensure_private_key(&text)?;
            }
            atomic_file::replace(&file, text.as_bytes(), mode)
                .with_context(|| format!("writing {}", file.display()))?;
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))
            .with_context(|| format!("setting the mode of {}", file.display()))
    }

    /// Makes a key in memory, and keeps it once it is whole: a machine that loses its key after the first login seems
    /// to be another machine. If it cannot be kept, on a full disk, this boot uses it from memory.
    fn make(&self, kind: &str) -> Result<()> {
        let made = file_in(self.of_boot, kind);
        if !holds_text(&made) {
            fs::create_dir_all(self.of_boot)
                .with_context(|| format!("making {}", self.of_boot.display()))?;
            // ssh-keygen asks before it replaces a file.
            let _ = fs::remove_file(&made);
            let status = Command::new(KEYGEN)
                .args(["-q", "-t", kind, "-N", "", "-f"])
                .arg(&made)
                .status()
                .context("starting ssh-keygen")?;
            ensure!(status.success(), "ssh-keygen ended with {status}");
        }
        // The key itself comes last, because the next start makes only a missing key.
        for (suffix, mode) in [("pub", 0o644), ("", 0o600)] {
            let file = file_in(self.kept, kind).with_extension(suffix);
            fs::read(made.with_extension(suffix))
                .and_then(|text| atomic_file::replace(&file, &text, mode))
                .with_context(|| format!("writing {}", file.display()))?;
        }
        for suffix in ["pub", ""] {
            let _ = fs::remove_file(made.with_extension(suffix));
        }
        Ok(())
    }
}

fn file_in(folder: &Path, kind: &str) -> PathBuf {
    folder.join(format!("ssh_host_{kind}_key"))
}

fn holds_text(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.len() > 0)
}

/// A text that is no key, or a key with a passphrase, must not replace a key that works.
fn ensure_private_key(text: &str) -> Result<()> {
    let file = tempfile::Builder::new()
        .tempfile_in("/run")
        .context("making a file in /run")?;
    fs::write(file.path(), text).context("writing the key to memory")?;
    let output = Command::new(KEYGEN)
        .args(["-y", "-P", "", "-f"])
        .arg(file.path())
        .stdin(Stdio::null())
        .output()
        .context("starting ssh-keygen")?;
    ensure!(
        output.status.success(),
        "it is no private key, or it has a passphrase"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use super::HostKeys;

    fn names(files: &[std::path::PathBuf]) -> Vec<String> {
        let names = files.iter().filter_map(|file| file.file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }

    fn keys(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = list.iter();
        pairs
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn a_bad_key_costs_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, of_boot) = (folder.path().join("kept"), folder.path().join("boot"));
        let host_keys = HostKeys {
            kept: &kept,
            of_boot: &of_boot,
        };
        let mut failures = Vec::new();
        let made = host_keys.prepare(&BTreeMap::new(), &mut failures);
        assert_eq!(
            (names(&made), failures.len()),
            (vec!["ssh_host_ed25519_key".into()], 0)
        );
        let good = fs::read_to_string(&made[0]).unwrap();
        let configured = keys(&[
            ("rsa_private", &good),
            ("ed25519", "no key"),
            ("ecdsa-pub", "a b c"),
        ]);
        let found = host_keys.prepare(&configured, &mut failures);
        assert_eq!(found, made);
        assert_eq!(failures.len(), 2, "{failures:?}");
        assert!(failures[0].starts_with("rancher.ssh.keys.ed25519: it is no private key"));
        assert!(failures[1].starts_with("rancher.ssh.keys.rsa_private: expected rsa"));
        // A failure names no part of a key.
        assert!(!failures.concat().contains("no key\""));
        assert_eq!(fs::read_to_string(&made[0]).unwrap(), good);
        let public = fs::read_to_string(kept.join("ssh_host_ecdsa_key.pub")).unwrap();
        assert_eq!(public, "a b c\n");
    }

    #[test]
    fn keys_that_cannot_be_kept_last_the_boot() {
        let folder = tempfile::tempdir().unwrap();
        let of_boot = folder.path().join("boot");
        // A folder below a file cannot be made, whoever asks.
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let host_keys = HostKeys {
            kept: Path::new(&file),
            of_boot: &of_boot,
        };
        let mut failures = Vec::new();
        let first = host_keys.prepare(&BTreeMap::new(), &mut failures);
        assert_eq!(names(&first), ["ssh_host_ed25519_key"]);
        assert_eq!(failures.len(), 1, "{failures:?}");
        let before = fs::read(&first[0]).unwrap();
        // The next start of the console uses the same keys.
        assert_eq!(host_keys.prepare(&BTreeMap::new(), &mut failures), first);
        assert_eq!(fs::read(&first[0]).unwrap(), before);
    }
}
