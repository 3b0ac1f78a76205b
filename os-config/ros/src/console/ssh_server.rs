//! sshd of the console: host keys that outlive the console, and settings from `rancher.ssh`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use host::paths::SSH_BANNER;
use host::problems::{self, ProblemRecord};
use os_config::{LoadedConfig, Ssh, atomic_file};

/// `/etc` belongs to the machine and is writable, so keys in it outlive the console container.
const FOLDER: &str = "/etc/ssh";
const SETTINGS: &str = "/etc/ssh/sshd_config.d/10-ros.conf";
/// The group of users of the cloud-config that may log in by key. Members of `docker` may too; they have the
/// rights of root.
pub(crate) const LOGIN_GROUP: &str = "ssh-login";
/// Types of host keys that are made when missing. No RSA: it takes many seconds on a slow machine, and every client of
/// the last ten years knows these two.
const KEY_TYPES: [&str; 2] = ["ed25519", "ecdsa"];

/// Writes keys, settings and the banner.
pub(crate) fn prepare(loaded: &LoadedConfig) -> Result<()> {
    let ssh = &loaded.config.rancher.ssh;
    if !ssh.daemon {
        return Ok(());
    }
    // Without this folder sshd does not start.
    fs::create_dir_all("/run/sshd").context("making /run/sshd")?;
    write_configured_keys(ssh)?;
    make_missing_keys()?;
    let banner = banner(loaded);
    // The file is in memory.
    fs::write(SSH_BANNER, &banner).with_context(|| format!("writing {SSH_BANNER}"))?;
    fs::create_dir_all("/etc/ssh/sshd_config.d").context("making /etc/ssh/sshd_config.d")?;
    let root_by_key = loaded.config.root_by_key;
    // Each start of the console writes it again before sshd starts.
    fs::write(SETTINGS, settings(ssh, root_by_key, !banner.is_empty()))
        .with_context(|| format!("writing {SETTINGS}"))
}

/// Writes the host keys of the configuration, where RancherOS kept them, over the keys on disk.
fn write_configured_keys(ssh: &Ssh) -> Result<()> {
    for (name, text) in &ssh.keys {
        let (kind, suffix, mode) = match name.strip_suffix("-pub") {
            Some(kind) => (kind, ".pub", 0o644),
            None => (name.as_str(), "", 0o600),
        };
        anyhow::ensure!(
            matches!(kind, "rsa" | "dsa" | "ecdsa" | "ed25519"),
            "rancher.ssh.keys.{name}: expected rsa, ecdsa or ed25519, with or without -pub"
        );
        let file = PathBuf::from(format!("{FOLDER}/ssh_host_{kind}_key{suffix}"));
        let text = format!("{}\n", text.trim_end());
        if !fs::read_to_string(&file).is_ok_and(|found| found == text) {
            atomic_file::replace(&file, text.as_bytes(), mode)
                .with_context(|| format!("writing {}", file.display()))?;
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))
            .with_context(|| format!("setting the mode of {}", file.display()))?;
    }
    Ok(())
}

fn make_missing_keys() -> Result<()> {
    for kind in KEY_TYPES {
        let file = PathBuf::from(format!("{FOLDER}/ssh_host_{kind}_key"));
        // In an earlier version a power cut could leave a key of length 0.
        if !fs::metadata(&file).is_ok_and(|meta| meta.len() > 0) {
            make_key(kind, &file).with_context(|| format!("making the {kind} host key"))?;
        }
    }
    Ok(())
}

/// Makes a key in memory, and stores it once it is whole: a machine that loses its key after the first login seems to be
/// another machine.
fn make_key(kind: &str, file: &Path) -> Result<()> {
    let folder = tempfile::tempdir_in("/run").context("making a folder in /run")?;
    let made = folder.path().join("key");
    let status = Command::new("/usr/bin/ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-f"])
        .arg(&made)
        .status()
        .context("starting ssh-keygen")?;
    anyhow::ensure!(status.success(), "ssh-keygen ended with {status}");
    // The key itself comes last, because the next start makes only a missing key.
    for (suffix, mode) in [("pub", 0o644), ("", 0o600)] {
        let file = file.with_extension(suffix);
        fs::read(made.with_extension(suffix))
            .and_then(|text| atomic_file::replace(&file, &text, mode))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

fn settings(ssh: &Ssh, root_by_key: bool, with_banner: bool) -> String {
    let (root, root_group) = if root_by_key {
        ("prohibit-password", " root")
    } else {
        ("no", "")
    };
    let mut text = format!(
        "# Written at every start of the console from rancher.ssh; changes are lost.\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin {root}\n\
         AllowGroups docker {LOGIN_GROUP}{root_group}\nUseDNS no\nClientAliveInterval 180\n",
    );
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let file = format!("{FOLDER}/ssh_host_{kind}_key");
        if Path::new(&file).exists() {
            text.push_str(&format!("HostKey {file}\n"));
        }
    }
    if let Some(port) = ssh.port {
        text.push_str(&format!("Port {port}\n"));
    }
    if let Some(address) = ssh
        .listen_address
        .as_deref()
        .filter(|address| !address.contains(char::is_whitespace))
    {
        text.push_str(&format!("ListenAddress {address}\n"));
    }
    if with_banner {
        text.push_str(&format!("Banner {SSH_BANNER}\n"));
    }
    text
}

/// The text that ssh shows before the login: the problems of this boot. Empty without problems.
fn banner(loaded: &LoadedConfig) -> String {
    let of_configuration = loaded.problems.iter().map(ProblemRecord::from);
    let problems = problems::distinct(problems::list().into_iter().chain(of_configuration));
    if problems.is_empty() {
        return String::new();
    }
    let mut text =
        String::from("PaddockOS: problems of this boot (`sudo ros config validate` explains):\n");
    for problem in problems {
        text.push_str(&format!("  {}\n", problem.text));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::settings;
    use os_config::Ssh;

    #[test]
    fn settings_follow_the_configuration() {
        let ssh = Ssh {
            port: Some(2200),
            listen_address: Some("10.0.0.1".into()),
            ..Ssh::default()
        };
        let text = settings(&ssh, false, true);
        assert!(text.contains("\nPort 2200\n") && text.contains("\nListenAddress 10.0.0.1\n"));
        assert!(text.contains("PasswordAuthentication no\n") && text.contains("\nBanner "));
        let odd = Ssh {
            listen_address: Some("x\nPermitRootLogin yes".into()),
            ..Ssh::default()
        };
        assert!(!settings(&odd, false, false).contains("PermitRootLogin yes"));
    }
}
