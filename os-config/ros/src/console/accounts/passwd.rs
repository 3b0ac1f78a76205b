//! `/etc/passwd`, and Debian's tools that change it.
//!
//! The file is read here, because getpwnam(3) in a static program needs the shared libraries of its own glibc.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::subprocess;

const PASSWD: &str = "/etc/passwd";

/// The entry of a user in `/etc/passwd`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PasswdEntry {
    pub(super) uid: u32,
    pub(super) gid: u32,
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
    use super::{PasswdEntry, find_in};

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
