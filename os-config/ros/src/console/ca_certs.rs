//! `ca_certs` of the cloud-config: authorities that programs of the console and both engines trust. Debian's own tool
//! installs them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use os_config::{CaCerts, atomic_file};

use crate::subprocess;

/// The folder where update-ca-certificates(8) looks for the certificates of a machine.
const FOLDER: &str = "/usr/local/share/ca-certificates";
const PREFIX: &str = "cloud-config-";
/// Debian's certificates, a line each; a `!` in front means that the certificate is not trusted.
const DEFAULTS: &str = "/etc/ca-certificates.conf";
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Lets the machine trust the configured authorities. The tool takes seconds, so it runs only if something changes.
pub(crate) fn install(config: &CaCerts) -> Result<()> {
    let files_before = configured_files();
    let reading = || format!("reading {DEFAULTS}");
    let defaults = atomic_file::read_or_empty(Path::new(DEFAULTS)).with_context(reading)?;
    let defaults = String::from_utf8(defaults).with_context(reading)?;
    let wanted = with_defaults(&defaults, !config.remove_defaults);
    let bundle = fs::read_to_string(BUNDLE).unwrap_or_default();
    let is_known = |text: &String| bundle.contains(text.trim());
    let is_same = wanted == defaults
        && files_before.len() == config.trusted.len()
        && config.trusted.iter().all(is_known);
    if is_same {
        return Ok(());
    }
    for file in files_before {
        fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
    }
    for (index, text) in config.trusted.iter().enumerate() {
        let file = Path::new(FOLDER).join(format!("{PREFIX}{index:02}.crt"));
        atomic_file::replace(&file, format!("{}\n", text.trim()).as_bytes(), 0o644)
            .with_context(|| format!("writing {}", file.display()))?;
    }
    atomic_file::replace(Path::new(DEFAULTS), wanted.as_bytes(), 0o644)
        .with_context(|| format!("writing {DEFAULTS}"))?;
    subprocess::run("update-ca-certificates", &["--fresh"], None)
}

fn configured_files() -> Vec<PathBuf> {
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .map(|entry| entry.path())
        .collect()
}

/// The list with all certificates trusted, or with all distrusted. The list does not show whether an administrator or
/// `remove_defaults` distrusted a certificate, so a change of `remove_defaults` overrides the administrator.
fn with_defaults(list: &str, trusted: bool) -> String {
    let all_out = list
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .all(|line| line.starts_with('!'));
    if trusted && !all_out {
        return list.to_owned();
    }
    let line = |line: &str| match line.strip_prefix('!') {
        _ if line.starts_with('#') || line.trim().is_empty() => line.to_owned(),
        Some(name) if trusted => name.to_owned(),
        None if !trusted => format!("!{line}"),
        _ => line.to_owned(),
    };
    list.lines().map(|text| line(text) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::with_defaults;

    #[test]
    fn defaults_are_all_in_or_all_out() {
        let list = "# Debian's\n\na.crt\nb.crt\n";
        let none = "# Debian's\n\n!a.crt\n!b.crt\n";
        assert_eq!(with_defaults(list, true), list);
        assert_eq!(with_defaults(list, false), none);
        assert_eq!(with_defaults(none, false), none);
        assert_eq!(with_defaults(none, true), list);
        // An administrator took a.crt out by hand.
        assert_eq!(with_defaults("!a.crt\nb.crt\n", true), "!a.crt\nb.crt\n");
    }
}
