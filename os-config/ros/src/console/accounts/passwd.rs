//! `/etc/passwd`, `/etc/group` and `/etc/shadow`, and Debian's tools that change them.
//!
//! The files are read here, because getpwnam(3) in a static program needs the shared libraries of its own glibc.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::subprocess;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// The entry of a user in `/etc/passwd`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PasswdEntry {
    uid: u32,
    gid: u32,
    pub(super) home: PathBuf,
}

/// Finds the entry of a user.
pub(super) fn find(name: &str) -> Result<Option<PasswdEntry>> {
    let text = fs::read_to_string(PASSWD).with_context(|| format!("reading {PASSWD}"))?;
    Ok(find_in(&text, name))
}

fn find_in(passwd: &str, name: &str) -> Option<PasswdEntry> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            [found, _, uid, gid, _, home, ..] if *found == name => Some(PasswdEntry {
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
                home: PathBuf::from(home),
            }),
            _ => None,
        }
    })
}

/// User → hash, from the text of `/etc/shadow`.
pub(super) fn hashes(shadow: &str) -> BTreeMap<String, String> {
    let lines = shadow.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), fields.next()?.to_owned()))
    });
    lines.collect()
}

/// The groups of `/etc/group` that list a user as a member.
pub(super) fn groups_of<'a>(group: &'a str, user: &str) -> Vec<&'a str> {
    let lines = group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let is_member = fields.nth(2)?.split(',').any(|member| member == user);
        is_member.then_some(name)
    });
    lines.collect()
}

/// A file's user and group, each as far as it is given.
pub(crate) type Owner = (Option<u32>, Option<u32>);

/// Finds the user and the group of `user`, `user:group`, `user:` (the user's own group) or `:group`, as chown(1) reads
/// them: names or numbers.
pub(crate) fn find_owner(text: &str) -> Result<Owner> {
    let read = |file: &str| fs::read_to_string(file).with_context(|| format!("reading {file}"));
    find_owner_in(text, &read(PASSWD)?, &read(GROUP)?)
}

fn find_owner_in(text: &str, passwd: &str, group: &str) -> Result<Owner> {
    let (user, group_name) = match text.split_once(':') {
        Some((user, name)) => (user, Some(name)),
        None => (text, None),
    };
    let entry = find_in(passwd, user);
    let uid = match (&entry, user) {
        (Some(entry), _) => Some(entry.uid),
        (None, "") => None,
        (None, number) => Some(
            number
                .parse()
                .ok()
                .with_context(|| format!("no user {user}"))?,
        ),
    };
    let gid = match group_name {
        None => None,
        Some("") => entry.map(|entry| entry.gid),
        Some(name) => {
            let found = group.lines().find_map(|line| {
                let mut fields = line.split(':');
                (fields.next()? == name).then_some(())?;
                fields.nth(1)?.parse().ok()
            });
            let number = found.or_else(|| name.parse().ok());
            Some(number.with_context(|| format!("no group {name}"))?)
        }
    };
    Ok((uid, gid))
}

/// Runs a tool of Debian's, with a text on its standard input. The error is the message of the tool.
pub(super) fn run_tool(argv: &[&str], input: Option<&str>) -> Result<()> {
    let (program, arguments) = argv.split_first().context("the command is empty")?;
    match subprocess::failure(&format!("/usr/sbin/{program}"), arguments, input)? {
        Some(said) => bail!("{program}: {said}"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{PasswdEntry, find_in, find_owner_in, groups_of};

    #[test]
    fn owners() {
        let passwd = "root:x:0:0::/root:\nmoo:x:1200:1201:Moo:/home/moo:/bin/bash\n";
        let group = "root:x:0:\nmeadow:x:1300:moo\n";
        for (text, expected) in [
            ("moo", (Some(1200), None)),
            ("moo:", (Some(1200), Some(1201))),
            ("moo:meadow", (Some(1200), Some(1300))),
            (":meadow", (None, Some(1300))),
            ("1000:1000", (Some(1000), Some(1000))),
            ("0:meadow", (Some(0), Some(1300))),
        ] {
            assert_eq!(
                find_owner_in(text, passwd, group).unwrap(),
                expected,
                "{text}"
            );
        }
        for text in ["cow", "moo:cow", "-1", "cow:"] {
            assert!(find_owner_in(text, passwd, group).is_err(), "{text}");
        }
    }

    #[test]
    fn groups() {
        let text = "root:x:0:\ndocker:x:990:moo,cow\nherd:x:1300:cow\nbad:x\n";
        assert_eq!(groups_of(text, "cow"), ["docker", "herd"]);
        assert_eq!(groups_of(text, "mo"), [""; 0]);
    }

    #[test]
    fn entries() {
        let text =
            "root:x:0:0:root:/root:/bin/bash\nmoo:x:1200:1201:Moo:/home/moo:/bin/bash\nbad:x:y\n";
        assert_eq!(
            find_in(text, "moo"),
            Some(PasswdEntry {
                uid: 1200,
                gid: 1201,
                home: "/home/moo".into()
            })
        );
        assert_eq!(find_in(text, "bad"), None);
        assert_eq!(find_in(text, "mo"), None);
    }
}
