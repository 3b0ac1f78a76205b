//! The machine's own words of the kernel line, in a file of the EFI system partition that GRUB reads with `load_env`. A
//! damaged file costs the words alone.

use thiserror::Error;

use crate::grub_env::Block;

/// The size of the file in bytes. It is written in place, and so never changes its size.
pub const FILE_BYTES: usize = 4096;
/// The variable with the words.
const VARIABLE: &str = "kernel_line";
/// The kernel takes lines of 2048 bytes (`COMMAND_LINE_SIZE`), and the image's own words need room too.
const MAX_BYTES: usize = 1024;
/// GRUB splits the variable at blanks and looks for files where a word has these and begins with `(` or `/`; the others
/// mean something to GRUB's or the kernel's own reading of a line.
const REFUSED: [char; 10] = ['$', ';', '&', '|', '<', '>', '{', '}', '\\', '`'];

/// Words that GRUB or the kernel could not read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnusableWords {
    #[error("the words have {0} bytes, and at most {MAX_BYTES} fit beside the image's own")]
    TooLong(usize),
    #[error(
        "{0:?} cannot stand in the words: they are plain text on one line, without $ ; & | < > {{ }} \\ `"
    )]
    Character(char),
    #[error("a quotation mark has no end")]
    OpenQuote,
}

/// The file with these words.
///
/// # Errors
///
/// GRUB or the kernel could not read the words.
pub fn render(words: &str) -> Result<Vec<u8>, UnusableWords> {
    let words = words.trim();
    let is_refused =
        |character: &char| !matches!(character, ' '..='~') || REFUSED.contains(character);
    if let Some(character) = words.chars().find(is_refused) {
        return Err(UnusableWords::Character(character));
    }
    for quote in ['"', '\''] {
        if words.matches(quote).count() % 2 == 1 {
            return Err(UnusableWords::OpenQuote);
        }
    }
    let mut block = Block::default();
    block.set(VARIABLE, words);
    let fits = words.len() <= MAX_BYTES;
    fits.then(|| block.render(FILE_BYTES))
        .flatten()
        .ok_or(UnusableWords::TooLong(words.len()))
}

/// The words in a file; `None` if the file is damaged.
pub fn parse(bytes: &[u8]) -> Option<String> {
    Some(Block::parse(bytes)?.get(VARIABLE)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{FILE_BYTES, UnusableWords, parse, render};

    #[test]
    fn words_come_back_as_they_were() {
        for words in [
            "",
            "quiet loglevel=4",
            "rancher.network.interfaces.eth*.dhcp=true",
            "cc.ssh_authorized_keys=['ssh-rsa AAAA me']",
        ] {
            let file = render(words).unwrap();
            assert_eq!(file.len(), FILE_BYTES);
            assert_eq!(parse(&file).as_deref(), Some(words));
        }
        assert_eq!(parse(&[0; FILE_BYTES]), None);
    }

    #[test]
    fn words_that_grub_would_change_are_refused() {
        for (words, character) in [("a;b", ';'), ("$x", '$'), ("two\nlines", '\n'), ("ü", 'ü')] {
            assert_eq!(render(words), Err(UnusableWords::Character(character)));
        }
        assert_eq!(render("a='b"), Err(UnusableWords::OpenQuote));
        let long = "x".repeat(1025);
        assert_eq!(render(&long), Err(UnusableWords::TooLong(1025)));
    }
}
