//! `authorized_keys` of a user. Keys are added, never removed, as in RancherOS.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use anyhow::{Context, Result};

/// Lets the holders of `keys` log in as the user with this home. `owner` is the user and the group of the files.
pub(super) fn authorize(home: &Path, keys: &[String], owner: (u32, u32)) -> Result<()> {
    let folder = home.join(".ssh");
    make_folder(&folder, 0o700, owner)?;
    add_keys(&folder.join("authorized_keys"), keys, owner)
}

/// Makes a folder if it is missing, and gives it to the user.
pub(super) fn make_folder(path: &Path, mode: u32, (user, group): (u32, u32)) -> Result<()> {
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

/// `text` with the keys that it lacks, a line each.
fn with_keys(text: &str, keys: &[String]) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    for key in keys {
        // A key with a line break would be two entries, the second with options of its own.
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
