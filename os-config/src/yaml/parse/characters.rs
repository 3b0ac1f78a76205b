//! Characters that no document may have, checked before the parser sees the text.

use crate::diagnostic::Diagnostic;
use crate::yaml::parse::errors::{TAB, unusable};
use crate::yaml::tree::Position;

/// YAML allows no control characters. NULs come from files that a power failure cut off.
pub(crate) fn refuse_control_characters(text: &str) -> Result<(), Diagnostic> {
    let is_bad = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let (mut line, mut column) = (1, 1);
    for c in text.chars() {
        if is_bad(c) {
            let message = format!(
                "expected text, found the control character U+{:04X}",
                u32::from(c)
            );
            return Err(unusable(Position { line, column }, message));
        }
        (line, column) = if c == '\n' {
            (line + 1, 1)
        } else {
            (line, column + 1)
        };
    }
    Ok(())
}

/// The parser accepts a tab before the first key; other readers of the same file do not.
pub(crate) fn refuse_leading_tab(text: &str) -> Result<(), Diagnostic> {
    let is_content = |line: &&str| !matches!(line.trim_start().chars().next(), None | Some('#'));
    let first = text.lines().zip(1..).find(|(line, _)| is_content(line));
    match first {
        Some((found, line)) if found.starts_with('\t') => {
            Err(unusable(Position { line, column: 1 }, TAB))
        }
        _ => Ok(()),
    }
}
