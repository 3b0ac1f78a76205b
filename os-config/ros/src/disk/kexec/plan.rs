//! The kernel line of a system that starts without its boot loader. Pure: GRUB's boot entry and its variables in, the line
//! out.

use anyhow::{Context, Result, ensure};
use disk::slots::Slot;

/// The kernel takes 2048 bytes with the end (`COMMAND_LINE_SIZE`), and refuses to load a longer line.
const MAX_BYTES: usize = 2047;
/// The command of the boot entry, before the words of the line.
const COMMAND: &str = "linux ($sd)/vmlinuz ";
/// Words by which a boot loader tells the kernel about files of its own.
const OF_BOOT_LOADERS: [&str; 2] = ["BOOT_IMAGE=", "initrd="];

/// What GRUB would know at the start of a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartFacts<'a> {
    /// The text of the slot's `entry.cfg`.
    pub(crate) entry: &'a str,
    /// The machine's own words.
    pub(crate) words: &'a str,
    pub(crate) slot: Slot,
    /// The number of GRUB's last write: this start is not counted.
    pub(crate) sequence: u8,
    /// The GUID of the EFI system partition.
    pub(crate) esp: &'a str,
}

/// The line with which GRUB would start the slot.
///
/// # Errors
/// The boot entry has another form, or the line is too long.
pub(crate) fn kernel_line(facts: StartFacts<'_>) -> Result<String> {
    let template = facts
        .entry
        .split_once(COMMAND)
        .and_then(|(_, rest)| rest.split_once(';'))
        .context("the boot entry of the slot has no kernel line that is known here")?
        .0;
    let (slot, sequence) = (facts.slot.to_string(), facts.sequence.to_string());
    let variables = [
        ("$quiet", "quiet"),
        ("$kernel_line", facts.words),
        ("$mode", ""),
        ("$slot", slot.as_str()),
        ("$seq", sequence.as_str()),
        ("$esp", facts.esp),
    ];
    let mut line = Vec::new();
    for word in template.split_ascii_whitespace() {
        let replaced = variables.iter().find_map(|(name, value)| {
            let before = word.strip_suffix(name)?;
            Some(format!("{before}{value}"))
        });
        ensure!(
            replaced.is_some() || !word.contains('$'),
            "the boot entry of the slot has the word {word}, which is unknown here"
        );
        line.push(replaced.unwrap_or_else(|| word.to_owned()));
    }
    line.retain(|word| !word.is_empty());
    limited(line.join(" "))
}

/// The running kernel's line without the words of its boot loader.
///
/// # Errors
/// The line is too long.
pub(crate) fn same_line(running: &str) -> Result<String> {
    let is_of_loader = |word: &&str| OF_BOOT_LOADERS.iter().any(|begin| word.starts_with(*begin));
    let words = running
        .split_ascii_whitespace()
        .filter(|word| !is_of_loader(word));
    let words: Vec<&str> = words.collect();
    limited(words.join(" "))
}

fn limited(line: String) -> Result<String> {
    ensure!(
        line.len() <= MAX_BYTES,
        "the kernel line has {} bytes, and the kernel takes {MAX_BYTES}",
        line.len()
    );
    Ok(line)
}

#[cfg(test)]
mod tests {
    use disk::slots::Slot;

    use super::{StartFacts, kernel_line, same_line};

    const ENTRY: &str = "if linux ($sd)/vmlinuz console=tty0 panic=10 $quiet $kernel_line $mode \
                         paddock.slot=$slot paddock.seq=$seq paddock.esp=$esp; then if initrd ($sd)/initrd; then boot; \
                         fi; fi\n";

    #[test]
    fn the_line_is_the_boot_loaders() {
        let line = |entry, words| {
            kernel_line(StartFacts {
                entry,
                words,
                slot: Slot::B,
                sequence: 7,
                esp: "c12a",
            })
        };
        let end = "paddock.slot=b paddock.seq=7 paddock.esp=c12a";
        assert_eq!(
            line(ENTRY, "").unwrap(),
            format!("console=tty0 panic=10 quiet {end}")
        );
        assert_eq!(
            line(ENTRY, "a='b c' d").unwrap(),
            format!("console=tty0 panic=10 quiet a='b c' d {end}")
        );
        let long = "x".repeat(2000);
        for (entry, words, expected) in [
            ("garbage", "", "no kernel line"),
            ("linux ($sd)/vmlinuz a $b; then", "", "the word $b"),
            (ENTRY, long.as_str(), "the kernel takes 2047"),
        ] {
            let error = line(entry, words).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn words_of_the_boot_loader_do_not_stay() {
        let line = "BOOT_IMAGE=(loop)/vmlinuz quiet initrd=x paddock.slot=iso";
        assert_eq!(same_line(line).unwrap(), "quiet paddock.slot=iso");
    }
}
