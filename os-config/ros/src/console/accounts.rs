//! The two users of RancherOS, `rancher` and `docker`: homes, keys, the password of the kernel line.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use os_config::Config;

use crate::console::users;

/// A login user; ids as RancherOS had them, so that files on old state disks keep their owners.
struct Account {
    name: &'static str,
    id: u32,
}

const ACCOUNTS: [Account; 2] = [
    Account {
        name: "rancher",
        id: 1100,
    },
    Account {
        name: "docker",
        id: 1101,
    },
];

/// Makes the homes and adds the configured keys. Keys are added, never taken away, as in RancherOS.
pub(crate) fn prepare(config: &Config) -> Result<()> {
    for account in &ACCOUNTS {
        let home = PathBuf::from("/home").join(account.name);
        let owner = (account.id, account.id);
        own_folder(&home, 0o755, owner)?;
        authorize(&home, &config.ssh_authorized_keys, owner)?;
    }
    if config.root_by_key {
        authorize(Path::new("/root"), &config.ssh_authorized_keys, (0, 0))?;
    }
    Ok(())
}

/// Lets the holders of `keys` log in to the user with this home; `owner` is his user and group.
pub(crate) fn authorize(home: &Path, keys: &[String], owner: (u32, u32)) -> Result<()> {
    let folder = home.join(".ssh");
    own_folder(&folder, 0o700, owner)?;
    add_keys(&folder.join("authorized_keys"), keys, owner)
}

/// Sets the passwords of `chpasswd`, and that of `rancher` where the kernel line gives one.
pub(crate) fn set_passwords(config: &Config) -> Result<()> {
    for given in &config.passwords {
        let argv: &[&str] = if given.is_hashed {
            &["chpasswd", "--encrypted"]
        } else {
            &["chpasswd"]
        };
        let (user, password) = (&given.user, &given.password);
        anyhow::ensure!(
            !password.is_empty() && !format!("{user}{password}").contains(['\n', '\0']),
            "chpasswd: {user}: the password is empty or has a line break"
        );
        users::run_tool(argv, Some(&format!("{user}:{password}\n")))
            .with_context(|| format!("chpasswd: {user}"))?;
    }
    let Some(password) = config.rancher.password.as_deref() else {
        return Ok(());
    };
    if config.rancher.disable.iter().any(|word| word == "password") {
        return Ok(());
    }
    anyhow::ensure!(
        !password.is_empty() && !password.contains(['\n', '\0']),
        "rancher.password is empty or has a line break"
    );
    users::run_tool(&["chpasswd"], Some(&format!("rancher:{password}\n")))
}

fn own_folder(path: &Path, mode: u32, (user, group): (u32, u32)) -> Result<()> {
    if !path.is_dir() {
        fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .with_context(|| format!("setting the mode of {}", path.display()))?;
    }
    chown(path, Some(user), Some(group))
        .with_context(|| format!("giving {} to its user", path.display()))
}

fn add_keys(file: &Path, keys: &[String], (user, group): (u32, u32)) -> Result<()> {
    let before = fs::read_to_string(file).unwrap_or_default();
    let after = with_keys(&before, keys);
    if after != before {
        fs::write(file, after).with_context(|| format!("writing {}", file.display()))?;
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))
            .with_context(|| format!("setting the mode of {}", file.display()))?;
        chown(file, Some(user), Some(group))
            .with_context(|| format!("giving {} to its user", file.display()))?;
    }
    Ok(())
}

/// `text` with those of `keys` that it lacks, one a line.
fn with_keys(text: &str, keys: &[String]) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for key in keys {
        // A key with a line break would be two entries, the second of them with options of its own.
        let key = key.trim();
        if !key.is_empty() && !key.contains('\n') && !lines.contains(&key) {
            lines.push(key);
        }
    }
    let mut out = lines.join("\n");
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::with_keys;

    #[test]
    fn keys_are_added_once() {
        let keys = |list: &[&str]| list.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        for (text, list, expected) in [
            ("", vec!["ssh-ed25519 A a@b"], "ssh-ed25519 A a@b\n"),
            ("old\n", vec!["new ", "old", "new"], "old\nnew\n"),
            ("no newline", vec!["x"], "no newline\nx\n"),
            ("", vec!["a\nb", " "], ""),
        ] {
            assert_eq!(with_keys(text, &keys(&list)), expected);
        }
    }
}
