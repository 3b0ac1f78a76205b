//! The user that `userns_enabled` maps containers' users to: BurmillaOS's `user-docker`, with a range of numbers that no
//! other user has.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::subprocess;

const NAME: &str = "user-docker";
/// The files of ranges, each with the option of usermod that adds one.
const RANGES: [(&str, &str); 2] = [
    ("/etc/subuid", "--add-subuids"),
    ("/etc/subgid", "--add-subgids"),
];
/// Debian's size of a range, and the start of the first.
const COUNT: u32 = 65_536;
const FIRST: u32 = 100_000;

/// Makes the user and its ranges, if `remap` (the value of dockerd's `userns-remap`) names it and they are missing.
pub(super) fn prepare(remap: &str) -> Result<()> {
    if remap.split(':').next() != Some(NAME) {
        return Ok(());
    }
    let has_line = |file: &str| {
        let text = fs::read_to_string(Path::new(file)).unwrap_or_default();
        text.lines()
            .any(|line| line.split(':').next() == Some(NAME))
    };
    if !has_line("/etc/passwd") {
        let options = ["--system", "--user-group", "--no-create-home"];
        let shell = [
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
            NAME,
        ];
        subprocess::run("useradd", &[&options[..], &shell].concat(), None)?;
    }
    for (file, option) in RANGES {
        if has_line(file) {
            continue;
        }
        let first = free_range(&fs::read_to_string(file).unwrap_or_default());
        let range = format!("{first}-{}", first + COUNT - 1);
        subprocess::run("usermod", &[option, &range, NAME], None)?;
    }
    Ok(())
}

/// The first number behind all ranges of a file.
fn free_range(text: &str) -> u32 {
    let ends = text.lines().filter_map(|line| {
        let mut fields = line.split(':').skip(1);
        let start: u32 = fields.next()?.parse().ok()?;
        start.checked_add(fields.next()?.parse().ok()?)
    });
    // A range at the end of the numbers leaves no room behind it.
    let room = |end: &u32| end.checked_add(COUNT).is_some();
    ends.filter(room).fold(FIRST, u32::max)
}

#[cfg(test)]
mod tests {
    use super::free_range;

    #[test]
    fn a_range_is_behind_all_others() {
        for (text, expected) in [
            ("", 100_000),
            ("rancher:100000:65536\ndocker:165536:65536\n", 231_072),
            ("a:500000:65536\nb:100000:65536\n", 565_536),
            ("broken\nx:y:z\n", 100_000),
            ("a:4294900000:60000\n", 100_000),
        ] {
            assert_eq!(free_range(text), expected, "{text}");
        }
    }
}
