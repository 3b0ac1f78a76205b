//! `authorized_keys` of a user. Keys are added, never removed, as in RancherOS.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use os_config::atomic_file::{self, AtomicFile};

/// Lets the holders of `keys` log in as the user with this home. `owner` is the user and the group of the files.
pub(super) fn authorize(home: &Path, keys: &[String], owner: (u32, u32)) -> Result<()> {
    let folder = home.join(".ssh");
    ensure_no_users_link(&folder)?;
    make_folder(&folder, 0o700, owner)?;
    let file = folder.join("authorized_keys");
    ensure_no_users_link(&file)?;
    add_keys(&file, keys, owner)
}

/// A user's link could lead to a file that only root may read: its content would become the user's, or even the file.
fn ensure_no_users_link(path: &Path) -> Result<()> {
    let is_users_link =
        fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink() && found.uid() != 0);
    ensure!(
        !is_users_link,
        "{} is a link that a user made: no key is added",
        path.display()
    );
    Ok(())
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

fn add_keys(file: &Path, keys: &[String], owner: (u32, u32)) -> Result<()> {
    let before =
        atomic_file::read_or_empty(file).with_context(|| format!("reading {}", file.display()))?;
    let after = with_keys(&before, keys);
    if after != before {
        let failed = || format!("writing {}", file.display());
        let new = AtomicFile::write(file, &after, 0o600).with_context(failed)?;
        new.set_owner(owner)
            .with_context(|| format!("giving {} to its user", file.display()))?;
        new.persist().with_context(failed)?;
    }
    Ok(())
}

/// `text` with the keys that it lacks, a line each. Comments of keys may be in any encoding.
fn with_keys(text: &[u8], keys: &[String]) -> Vec<u8> {
    let mut out = text.to_vec();
    for key in keys {
        // A key with a line break would be two entries, the second with options of its own.
        let key = key.trim().as_bytes();
        let mut lines = out.split(|byte| *byte == b'\n');
        if key.is_empty() || key.contains(&b'\n') || lines.any(|line| line.trim_ascii_end() == key)
        {
            continue;
        }
        if out.last().is_some_and(|last| *last != b'\n') {
            out.push(b'\n');
        }
        out.extend_from_slice(key);
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::{add_keys, authorize, with_keys};

    fn keys(list: &[&str]) -> Vec<String> {
        list.iter().map(|key| (*key).to_owned()).collect()
    }

    #[test]
    fn keys_are_added_once() {
        for (text, list, expected) in [
            (
                &b""[..],
                &["ssh-ed25519 A a@b"][..],
                &b"ssh-ed25519 A a@b\n"[..],
            ),
            (b"old\n", &["new ", "old", "new"], b"old\nnew\n"),
            (b"no newline", &["x"], b"no newline\nx\n"),
            (b"", &["a\nb", " "], b""),
            (
                b"old caf\xE9\r\n",
                &["old", "x"],
                b"old caf\xE9\r\nold\nx\n",
            ),
        ] {
            assert_eq!(with_keys(text, &keys(list)), expected);
        }
    }

    #[test]
    fn the_file_is_the_users_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authorized_keys");
        let own = fs::metadata(folder.path()).unwrap();
        let owner = (own.uid(), own.gid());
        fs::write(&file, b"caf\xE9\n").unwrap();
        add_keys(&file, &keys(&["new"]), owner).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"caf\xE9\nnew\n");
        let found = fs::metadata(&file).unwrap();
        assert_eq!(found.permissions().mode() & 0o7777, 0o600);
        assert_eq!((found.uid(), found.gid()), owner);
        // A folder in the file's place cannot be read.
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(add_keys(&file, &keys(&["new"]), owner).is_err());
    }

    #[test]
    fn a_users_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        // Only root can make a link another user's; for other users every link is a user's.
        const NOBODY: u32 = 65534;
        let link = |name: &str, to: &str| {
            let path = folder.path().join(name);
            symlink(to, &path).unwrap();
            let _ = std::os::unix::fs::lchown(&path, Some(NOBODY), Some(NOBODY));
        };
        let own = fs::metadata(folder.path()).unwrap();
        let owner = (own.uid(), own.gid());
        fs::write(folder.path().join("secret"), "secret\n").unwrap();
        fs::create_dir(folder.path().join(".ssh")).unwrap();
        link(".ssh/authorized_keys", "../secret");
        assert!(authorize(folder.path(), &keys(&["new"]), owner).is_err());
        fs::remove_dir_all(folder.path().join(".ssh")).unwrap();
        fs::create_dir(folder.path().join("other")).unwrap();
        link(".ssh", "other");
        assert!(authorize(folder.path(), &keys(&["new"]), owner).is_err());
        assert_eq!(
            fs::read_dir(folder.path().join("other")).unwrap().count(),
            0
        );
    }
}
