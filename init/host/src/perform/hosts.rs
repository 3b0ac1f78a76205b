//! The machine's own line in `/etc/hosts`.

use std::fs;

use anyhow::{Context, Result};

const HOSTS: &str = "/etc/hosts";
/// Debian's address for the machine's own name, which thus resolves without a network.
const MACHINE_ADDRESS: &str = "127.0.1.1";

/// Makes `names`, separated by blanks, resolve to this machine.
///
/// The file is written in place, because containers bind-mount this very file.
pub(super) fn set_entry(names: &str) -> Result<()> {
    let before = fs::read_to_string(HOSTS).unwrap_or_default();
    let after = with_entry(&before, names);
    if after == before {
        return Ok(());
    }
    fs::write(HOSTS, after).with_context(|| format!("writing {HOSTS}"))
}

/// Replaces the line of [`MACHINE_ADDRESS`], or adds it at the end.
fn with_entry(hosts: &str, names: &str) -> String {
    let own = format!("{MACHINE_ADDRESS}\t{names}");
    let is_own = |line: &str| line.split_ascii_whitespace().next() == Some(MACHINE_ADDRESS);
    let mut found = false;
    let mut lines: Vec<&str> = Vec::new();
    for line in hosts.lines() {
        if !is_own(line) {
            lines.push(line);
        } else if !found {
            found = true;
            lines.push(&own);
        }
    }
    if !found {
        lines.push(&own);
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::with_entry;

    #[test]
    fn one_line_is_the_machines_own() {
        for (hosts, expected) in [
            ("", "127.0.1.1\tbox\n"),
            ("::1\tlocalhost\n", "::1\tlocalhost\n127.0.1.1\tbox\n"),
            (
                "127.0.1.1 old.lan old\n10.0.0.1 nas\n127.0.1.1\tolder",
                "127.0.1.1\tbox\n10.0.0.1 nas\n",
            ),
            ("127.0.1.10 x\n", "127.0.1.10 x\n127.0.1.1\tbox\n"),
        ] {
            assert_eq!(with_entry(hosts, "box"), expected, "{hosts:?}");
        }
    }
}
