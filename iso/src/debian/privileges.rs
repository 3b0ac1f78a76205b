//! The programs that run with the rights of their file's owner or group, whoever starts them. Each is a way from a user to
//! root, so a tree keeps those with a reason, and a program of an unknown name ends the build.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::build::files::sorted_entries;

/// The bits of setuid and setgid.
const PRIVILEGE_BITS: u32 = 0o6000;

/// The programs that keep their rights, with their reasons.
const PRIVILEGED_PROGRAMS: &[(&str, &str)] = &[
    (
        "usr/bin/passwd",
        "users with a password change it themselves",
    ),
    (
        "usr/bin/ssh-agent",
        "the kernel lets no other program of the user read the memory of a setgid program, in which his keys are",
    ),
    ("usr/bin/sudo", "it is the administrators' way to root"),
];

/// The programs that lose their rights. All but root's use of them is given up.
const RESTRICTED_PROGRAMS: &[(&str, &str)] = &[
    ("usr/bin/chage", "users do not ask when passwords expire"),
    ("usr/bin/chfn", "an administrator writes users' names"),
    ("usr/bin/chsh", "an administrator chooses users' shells"),
    ("usr/bin/expiry", "passwords do not expire"),
    ("usr/bin/gpasswd", "groups have no administrators"),
    ("usr/bin/mount", "users mount nothing"),
    (
        "usr/bin/newgrp",
        "groups have no passwords; a new login has the new groups",
    ),
    ("usr/bin/su", "root has no password; sudo replaces it"),
    ("usr/bin/umount", "users mount nothing"),
    (
        "usr/lib/dbus-1.0/dbus-daemon-launch-helper",
        "no D-Bus starts services",
    ),
    (
        "usr/lib/openssh/ssh-keysign",
        "machines do not vouch for their users by host keys",
    ),
    ("usr/sbin/mount.nfs", "users mount nothing"),
    ("usr/sbin/unix_chkpwd", "login, sshd and sudo run as root"),
];

/// Takes the rights of the programs of [`RESTRICTED_PROGRAMS`] below `root`. Returns whether there were any. Fails if a file that is in
/// neither list has such rights.
pub(crate) fn restrict(root: &Path) -> Result<bool> {
    let mut unknown = Vec::new();
    let changed = restrict_folder(root, root, &mut unknown)?;
    ensure!(
        unknown.is_empty(),
        "setuid or setgid: {} (hint: name each in a list of iso/src/debian/privileges.rs, with its reason)",
        unknown.join(", ")
    );
    Ok(changed)
}

fn restrict_folder(root: &Path, folder: &Path, unknown: &mut Vec<String>) -> Result<bool> {
    let mut changed = false;
    for path in sorted_entries(folder)? {
        let about =
            fs::symlink_metadata(&path).with_context(|| format!("reading {}", path.display()))?;
        if about.is_dir() {
            changed |= restrict_folder(root, &path, unknown)?;
            continue;
        }
        let mode = about.permissions().mode();
        if !about.is_file() || mode & PRIVILEGE_BITS == 0 {
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
        let is_in = |list: &[(&str, &str)]| list.iter().any(|(listed, _)| *listed == name);
        if is_in(RESTRICTED_PROGRAMS) {
            fs::set_permissions(&path, Permissions::from_mode(mode & !PRIVILEGE_BITS))
                .with_context(|| format!("taking the rights of {}", path.display()))?;
            changed = true;
        } else if !is_in(PRIVILEGED_PROGRAMS) {
            unknown.push(format!("/{name}"));
        }
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::{PRIVILEGED_PROGRAMS, RESTRICTED_PROGRAMS, restrict};
    use crate::build::files::write;

    #[test]
    fn programs_with_a_reason_keep_their_rights_and_unknown_ones_end_the_build() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        let make = |name: &str, mode: u32| {
            write(&root.join(name), "").unwrap();
            fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
        };
        let mode = |name: &str| {
            let about = fs::metadata(root.join(name)).unwrap();
            about.permissions().mode() & 0o7777
        };
        for (name, mode) in [
            ("usr/bin/sudo", 0o4755),
            ("usr/bin/ssh-agent", 0o2755),
            ("usr/bin/su", 0o4755),
            ("usr/bin/chage", 0o2755),
            ("usr/bin/ls", 0o755),
        ] {
            make(name, mode);
        }
        // A folder's bit gives its group to new files, and no rights.
        fs::create_dir(root.join("var")).unwrap();
        fs::set_permissions(root.join("var"), Permissions::from_mode(0o2775)).unwrap();
        symlink("/usr/bin/sudo", root.join("var/link")).unwrap();
        assert!(restrict(root).unwrap());
        assert!(!restrict(root).unwrap());
        for (name, expected) in [
            ("usr/bin/sudo", 0o4755),
            ("usr/bin/ssh-agent", 0o2755),
            ("usr/bin/su", 0o755),
            ("usr/bin/chage", 0o755),
            ("usr/bin/ls", 0o755),
            ("var", 0o2775),
        ] {
            assert_eq!(mode(name), expected, "{name}");
        }
        make("usr/bin/new", 0o4755);
        let error = restrict(root).unwrap_err().to_string();
        assert!(
            error.starts_with("setuid or setgid: /usr/bin/new (hint"),
            "{error}"
        );
    }

    #[test]
    fn a_program_is_in_one_list() {
        let names: Vec<&str> = PRIVILEGED_PROGRAMS
            .iter()
            .chain(RESTRICTED_PROGRAMS)
            .map(|(name, _)| *name)
            .collect();
        let mut single = names.clone();
        single.sort_unstable();
        single.dedup();
        assert_eq!(single.len(), names.len());
    }
}
