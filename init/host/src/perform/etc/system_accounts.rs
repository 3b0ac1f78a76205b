//! System users and groups that the OS image brought after the machine's own `/etc/passwd` was written.
//!
//! `/etc` is an overlay: the first `useradd` copies the files of accounts to the state disk, and from then on those of
//! the OS image are hidden. Written by hand: systemd-sysusers wants a description of each account, and Debian's packages
//! make theirs by scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use os_config::atomic_file::AtomicFile;
use os_config::bounded_file;

/// Debian's numbers of system users and groups end before this one.
const FIRST_ORDINARY: u32 = 1000;
/// The first number that Debian's tools give to a system user or group.
const FIRST_DYNAMIC: u32 = 100;

/// The place of an account's number in its line, and of its group's number.
const NUMBER: usize = 2;
const GROUP_OF_USER: usize = 3;

/// Adds the system accounts of the folder `image` that the folder `machine` does not have.
pub(in crate::perform) fn add_missing(image: &Path, machine: &Path) -> Result<()> {
    let pair = |name: &str| -> Result<(String, String)> {
        Ok((read(&image.join(name))?, read(&machine.join(name))?))
    };
    let (groups, own_groups) = pair("group")?;
    let (users, own_users) = pair("passwd")?;
    let new_groups = missing(&groups, &own_groups);
    let mut new_users = missing(&users, &own_users);
    for user in &mut new_users {
        user.replace_group(&new_groups);
    }
    for (file, own, new) in [
        ("group", own_groups, &new_groups),
        ("passwd", own_users, &new_users),
    ] {
        append(
            &machine.join(file),
            &own,
            new.iter().map(|account| account.line.as_str()),
        )?;
    }
    for (file, new) in [("gshadow", &new_groups), ("shadow", &new_users)] {
        let (of_image, own) = pair(file)?;
        let known: BTreeSet<&str> = own.lines().map(name_of).collect();
        let lines = of_image.lines().filter(|line| {
            let name = name_of(line);
            !known.contains(name) && new.iter().any(|account| name_of(&account.line) == name)
        });
        append(&machine.join(file), &own, lines)?;
    }
    Ok(())
}

/// An account that is added.
#[derive(Debug)]
struct Account {
    line: String,
    /// Its number in the image. Another account of the machine may have that number.
    image_number: u32,
    number: u32,
}

impl Account {
    /// Names the user's group by the number that the group has on this machine.
    fn replace_group(&mut self, groups: &[Account]) {
        let renumbered: BTreeMap<u32, u32> = groups
            .iter()
            .map(|group| (group.image_number, group.number))
            .collect();
        if let Some(number) =
            number_of(&self.line, GROUP_OF_USER).and_then(|group| renumbered.get(&group))
        {
            self.line = with_number(&self.line, GROUP_OF_USER, *number);
        }
    }
}

/// The system accounts of `image` that `own` lacks, each with a number that is free in `own`.
fn missing(image: &str, own: &str) -> Vec<Account> {
    let known: BTreeSet<&str> = own.lines().map(name_of).collect();
    let mut taken: BTreeSet<u32> = own
        .lines()
        .filter_map(|line| number_of(line, NUMBER))
        .collect();
    let mut found = Vec::new();
    for line in image.lines().filter(|line| !known.contains(name_of(line))) {
        let Some(image_number) = number_of(line, NUMBER).filter(|number| *number < FIRST_ORDINARY)
        else {
            continue;
        };
        let free = |number: &u32| !taken.contains(number);
        let same = Some(image_number).filter(free);
        let Some(number) = same.or_else(|| (FIRST_DYNAMIC..FIRST_ORDINARY).rev().find(free)) else {
            continue;
        };
        taken.insert(number);
        found.push(Account {
            line: with_number(line, NUMBER, number),
            image_number,
            number,
        });
    }
    found
}

fn name_of(line: &str) -> &str {
    line.split(':').next().unwrap_or_default()
}

fn number_of(line: &str, field: usize) -> Option<u32> {
    line.split(':').nth(field)?.parse().ok()
}

fn with_number(line: &str, field: usize, number: u32) -> String {
    let fields = line.split(':').enumerate();
    let fields: Vec<String> = fields
        .map(|(at, text)| {
            if at == field {
                number.to_string()
            } else {
                text.to_owned()
            }
        })
        .collect();
    fields.join(":")
}

fn read(file: &Path) -> Result<String> {
    bounded_file::text(file).with_context(|| format!("reading {}", file.display()))
}

/// Adds lines to a file, which keeps its owner and its mode.
fn append<'a>(file: &Path, own: &str, lines: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut text = own.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let before = text.len();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    if text.len() == before {
        return Ok(());
    }
    let writing = || format!("writing {}", file.display());
    let found = fs::metadata(file).with_context(writing)?;
    let new =
        AtomicFile::write(file, text.as_bytes(), found.mode() & 0o7777).with_context(writing)?;
    new.set_owner(Some(found.uid()), Some(found.gid()))
        .with_context(writing)?;
    new.persist().with_context(writing)
}

#[cfg(test)]
mod tests {
    use super::add_missing;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn write(folder: &Path, files: [(&str, &str); 4]) {
        fs::create_dir_all(folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
    }

    #[test]
    fn system_accounts_of_a_later_image_appear() {
        let folder = tempfile::tempdir().unwrap();
        let [image, machine] = ["image", "machine"].map(|name| folder.path().join(name));
        write(
            &image,
            [
                (
                    "passwd",
                    "root:x:0:0::/root:/bin/bash\n_chrony:x:997:996::/:/x\nmoo:x:998:995::/:/x\nrancher:x:1100:1100::/:/x\n",
                ),
                (
                    "group",
                    "root:x:0:\n_chrony:x:996:\nmoo:x:995:\nrancher:x:1100:\n",
                ),
                (
                    "shadow",
                    "root:*:1::::::\n_chrony:!:1::::::\nmoo:!:1::::::\nrancher:*:1::::::\n",
                ),
                ("gshadow", "root:*::\n_chrony:!::\nmoo:!::\nrancher:!::\n"),
            ],
        );
        write(
            &machine,
            [
                (
                    "passwd",
                    "root:x:0:0::/root:/bin/sh\nmine:x:998:995::/:/x\nbob:x:1200:1200::/:/x",
                ),
                ("group", "root:x:0:bob\nmine:x:995:\nbob:x:1200:\n"),
                ("shadow", "root:secret:1::::::\nmine:!:1::::::\n"),
                ("gshadow", "root:*::\nmine:!::\n"),
            ],
        );
        fs::set_permissions(machine.join("shadow"), fs::Permissions::from_mode(0o640)).unwrap();
        // The second time there is nothing to add.
        for _ in 0..2 {
            add_missing(&image, &machine).unwrap();
            let read = |name: &str| fs::read_to_string(machine.join(name)).unwrap();
            assert_eq!(
                read("passwd"),
                "root:x:0:0::/root:/bin/sh\nmine:x:998:995::/:/x\nbob:x:1200:1200::/:/x\n\
                 _chrony:x:997:996::/:/x\nmoo:x:999:999::/:/x\n"
            );
            assert_eq!(
                read("group"),
                "root:x:0:bob\nmine:x:995:\nbob:x:1200:\n_chrony:x:996:\nmoo:x:999:\n"
            );
            assert_eq!(
                read("shadow"),
                "root:secret:1::::::\nmine:!:1::::::\n_chrony:!:1::::::\nmoo:!:1::::::\n"
            );
            assert_eq!(
                read("gshadow"),
                "root:*::\nmine:!::\n_chrony:!::\nmoo:!::\n"
            );
        }
        let mode = fs::metadata(machine.join("shadow"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn a_file_that_cannot_be_read_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let [image, machine] = ["image", "machine"].map(|name| folder.path().join(name));
        let files = [
            ("passwd", "a:x:1:1::/:/x\n"),
            ("group", "a:x:1:\n"),
            ("shadow", ""),
            ("gshadow", ""),
        ];
        write(&image, files);
        write(
            &machine,
            [
                ("passwd", ""),
                ("group", ""),
                ("shadow", ""),
                ("gshadow", ""),
            ],
        );
        fs::remove_file(machine.join("group")).unwrap();
        assert!(add_missing(&image, &machine).is_err());
        assert_eq!(fs::read(machine.join("passwd")).unwrap(), b"");
    }
}
