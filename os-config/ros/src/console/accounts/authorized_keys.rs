//! The keys of the configuration that may log in: a file of root's for each user, in memory, made anew at each start of
//! the console. A key that is taken out of the configuration opens nothing at the next start.
//!
//! sshd reads the user's own `~/.ssh/authorized_keys` as well. Earlier versions wrote the configuration's keys there;
//! these lines are removed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use os_config::Config;
use os_config::atomic_file::AtomicFile;

use crate::console::accounts::passwd;
use crate::console::user_path::{Folder, Missing, read_bounded};

/// The folder of root's files. It is outside of `/run/ros`, which containers mount.
const FOLDER: &str = "/run/ssh-keys";
/// sshd's setting: root's file, then the user's own files, as sshd has them.
pub(crate) const FILES: &str = "/run/ssh-keys/%u .ssh/authorized_keys .ssh/authorized_keys2";
const OWN_FILE: &str = "authorized_keys";
/// A user can fill his own file without end.
const MOST_BYTES: u64 = 1 << 20;

/// Lets the holders of the configured keys log in, and nobody else by a file of root's.
pub(crate) fn write_all(config: &Config) -> Result<()> {
    let keys = keys_by_user(config);
    let mut failed = Vec::new();
    let written = write_files(Path::new(FOLDER), &keys);
    failed.extend(written.err().map(|error| format!("{error:#}")));
    for (user, keys) in &keys {
        let cleaned = passwd::find(user).and_then(|entry| match entry {
            Some(entry) => remove_lines(&entry.home, keys),
            None => Ok(()),
        });
        failed.extend(cleaned.err().map(|error| format!("{user}: {error:#}")));
    }
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// User → keys, a line each.
fn keys_by_user(config: &Config) -> BTreeMap<&str, Vec<&str>> {
    let mut keys: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let root = config.root_by_key.then_some("root");
    for user in ["rancher", "docker"].into_iter().chain(root) {
        keys.insert(user, lines(&config.ssh_authorized_keys));
    }
    for user in &config.users {
        let of_user = keys.entry(&user.name).or_default();
        of_user.extend(lines(&user.ssh_authorized_keys));
    }
    keys.retain(|_, lines| !lines.is_empty());
    keys
}

fn lines(keys: &[String]) -> Vec<&str> {
    let lines = keys.iter().flat_map(|key| key.lines()).map(str::trim);
    lines.filter(|line| !line.is_empty()).collect()
}

fn write_files(folder: &Path, keys: &BTreeMap<&str, Vec<&str>>) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("removing {}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
    // sshd reads the file with the user's rights, and refuses a folder that others write to.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("setting the mode of {}", folder.display()))?;
    for (user, keys) in keys {
        let file = folder.join(user);
        // The file is in memory.
        fs::write(&file, keys.join("\n") + "\n")
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o644)))
            .with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}

/// Removes the lines that an earlier version wrote into the user's own file.
fn remove_lines(home: &Path, keys: &[&str]) -> Result<()> {
    let Some(folder) = Folder::open(&home.join(".ssh"), Missing::Accept)? else {
        return Ok(());
    };
    let failed = || format!("{}/.ssh/{OWN_FILE}", home.display());
    let name = Path::new(OWN_FILE);
    let Some(file) = folder.open_file(name).with_context(failed)? else {
        return Ok(());
    };
    let before = read_bounded(&file, MOST_BYTES).with_context(failed)?;
    let after = without_keys(&before, keys);
    if after == before {
        return Ok(());
    }
    let found = file.metadata().with_context(failed)?;
    let new =
        AtomicFile::write(&folder.path(name), &after, found.mode() & 0o777).with_context(failed)?;
    new.set_owner(Some(found.uid()), Some(found.gid()))
        .and_then(|()| new.persist())
        .with_context(failed)
}

/// `text` without the lines that are keys. Comments of keys may be in any encoding.
fn without_keys(text: &[u8], keys: &[&str]) -> Vec<u8> {
    let is_kept = |line: &&[u8]| !keys.iter().any(|key| line.trim_ascii() == key.as_bytes());
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines.filter(is_kept).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};

    use os_config::load::document;

    use super::{keys_by_user, remove_lines, without_keys, write_files};

    #[test]
    fn files_hold_what_is_configured_now() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("keys");
        let write = |text: &str| {
            let config = document(text.as_bytes()).unwrap();
            write_files(&folder, &keys_by_user(&config)).unwrap();
        };
        let read = |user: &str| fs::read_to_string(folder.join(user)).ok();
        write(
            "disable_root: false\nssh_authorized_keys: [a, ' b ', \"c\\nd\"]\n\
             users: [{name: moo, ssh_authorized_keys: [e]}, {name: docker, ssh_authorized_keys: [f]}, {name: none}]\n",
        );
        assert_eq!(read("rancher").as_deref(), Some("a\nb\nc\nd\n"));
        assert_eq!(read("root").as_deref(), Some("a\nb\nc\nd\n"));
        assert_eq!(read("docker").as_deref(), Some("a\nb\nc\nd\nf\n"));
        assert_eq!(read("moo").as_deref(), Some("e\n"));
        assert_eq!(read("none"), None);
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o755);
        assert_eq!(mode(&folder.join("moo")), 0o644);
        write("ssh_authorized_keys: [a]\n");
        assert_eq!(read("rancher").as_deref(), Some("a\n"));
        assert_eq!((read("root"), read("moo")), (None, None));
    }

    #[test]
    fn lines_of_an_earlier_version_are_removed() {
        for (text, keys, expected) in [
            (&b"own\nold k\n"[..], &["old k"][..], &b"own\n"[..]),
            (b"old\r\nown", &["old"], b"own"),
            (b"caf\xE9\nold", &["old"], b"caf\xE9\n"),
            (b"old more\n", &["old"], b"old more\n"),
            (b"", &["old"], b""),
        ] {
            assert_eq!(without_keys(text, keys), expected);
        }
        let home = tempfile::tempdir().unwrap();
        let ssh = home.path().join(".ssh");
        assert!(remove_lines(home.path(), &["old"]).is_ok());
        fs::create_dir(&ssh).unwrap();
        let file = ssh.join("authorized_keys");
        fs::write(&file, "own\nold\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        remove_lines(home.path(), &["old"]).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "own\n");
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(&ssh).unwrap().count(), 1);
    }

    #[test]
    fn a_users_link_is_refused() {
        const NOBODY: u32 = 65534;
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        // Only root can make a link another user's; for other users every link is a user's.
        let link = |name: &str, to: &str| {
            symlink(to, path(name)).unwrap();
            let _ = lchown(path(name), Some(NOBODY), Some(NOBODY));
        };
        fs::write(path("secret"), "old\n").unwrap();
        fs::create_dir(path(".ssh")).unwrap();
        link(".ssh/authorized_keys", "../secret");
        assert!(remove_lines(home.path(), &["old"]).is_err());
        fs::remove_dir_all(path(".ssh")).unwrap();
        fs::create_dir(path("other")).unwrap();
        fs::write(path("other/authorized_keys"), "old\n").unwrap();
        link(".ssh", "other");
        assert!(remove_lines(home.path(), &["old"]).is_err());
        assert_eq!(fs::read_to_string(path("secret")).unwrap(), "old\n");
        let other = fs::read_to_string(path("other/authorized_keys")).unwrap();
        assert_eq!(other, "old\n");
    }
}
