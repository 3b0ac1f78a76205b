//! The machine's own line in `/etc/hosts`.

use std::path::Path;

use anyhow::{Context, Result};
use os_config::atomic_file;

const HOSTS: &str = "/etc/hosts";
/// Programs expect these lines. An empty file, as an earlier version left after a power cut, gets them back.
const LOCALHOST: [&str; 2] = [
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
];
/// Debian's address for the machine's own name, which thus resolves without a network.
const MACHINE_ADDRESS: &str = "127.0.1.1";

/// Makes `names`, separated by blanks, resolve to this machine.
///
/// The file is overwritten in place, because containers mount this very file.
pub(in crate::perform) fn set_entry(names: &str) -> Result<()> {
    set_entry_in(Path::new(HOSTS), names)
}

fn set_entry_in(file: &Path, names: &str) -> Result<()> {
    let reading = || format!("reading {}", file.display());
    let before = atomic_file::read_or_empty(file).with_context(reading)?;
    let before = String::from_utf8(before).with_context(reading)?;
    let after = with_entry(&before, names);
    if after == before {
        return Ok(());
    }
    atomic_file::overwrite(file, after.as_bytes())
        .with_context(|| format!("writing {}", file.display()))
}

/// Replaces the line of [`MACHINE_ADDRESS`], or adds it at the end.
fn with_entry(hosts: &str, names: &str) -> String {
    let own = format!("{MACHINE_ADDRESS}\t{names}");
    let is_own = |line: &str| line.split_ascii_whitespace().next() == Some(MACHINE_ADDRESS);
    let mut found = false;
    let mut lines: Vec<&str> = Vec::new();
    if !hosts.lines().any(names_localhost) {
        lines.extend(LOCALHOST);
    }
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

fn names_localhost(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default();
    let mut words = line.split_ascii_whitespace().skip(1);
    words.any(|word| word == "localhost")
}

#[cfg(test)]
mod tests {
    use super::{set_entry_in, with_entry};

    const BOTH: &str = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

    #[test]
    fn one_line_is_the_machines_own() {
        for (hosts, expected) in [
            ("", &*format!("{BOTH}127.0.1.1\tbox\n")),
            (
                "# localhost is gone\n",
                &format!("{BOTH}# localhost is gone\n127.0.1.1\tbox\n"),
            ),
            ("::1\tlocalhost\n", "::1\tlocalhost\n127.0.1.1\tbox\n"),
            (
                "127.0.0.1 localhost\n127.0.1.1 old.lan old\n10.0.0.1 nas\n127.0.1.1\tolder",
                "127.0.0.1 localhost\n127.0.1.1\tbox\n10.0.0.1 nas\n",
            ),
            (
                "127.0.1.10 x localhost\n",
                "127.0.1.10 x localhost\n127.0.1.1\tbox\n",
            ),
        ] {
            assert_eq!(with_entry(hosts, "box"), expected, "{hosts:?}");
        }
    }

    #[test]
    fn a_file_that_is_no_text_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts");
        set_entry_in(&file, "box").unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, format!("{BOTH}127.0.1.1\tbox\n"));
        let other = b"10.0.0.1\tcaf\xE9\n";
        std::fs::write(&file, other).unwrap();
        assert!(set_entry_in(&file, "box").is_err());
        assert_eq!(std::fs::read(&file).unwrap(), other);
    }
}
