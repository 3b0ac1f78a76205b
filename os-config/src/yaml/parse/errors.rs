//! Errors of texts that give no tree.

use saphyr_parser::ScanError;

use crate::diagnostic::Diagnostic;
use crate::yaml::tree::Position;

pub(crate) const TAB: &str = "expected blanks for indentation, found a tab";

pub(crate) fn unusable(position: Position, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("", message).with_position((position.line, position.column))
}

/// The parser reports a missing end behind the last line; the message names the last line.
pub(crate) fn syntax(error: &ScanError, text: &str) -> Diagnostic {
    let last = text.trim_end().lines().count().max(1);
    let line = error.marker().line().max(1);
    let column = if line > last {
        1
    } else {
        error.marker().col() + 1
    };
    let position = Position {
        line: line.min(last),
        column,
    };
    // The parser has no kinds of errors.
    if is_indented_by_tab(text, position.line) {
        return unusable(position, TAB);
    }
    if let Some(position) = shallow_block(text, position.line) {
        return unusable(position, BLOCK);
    }
    let hint = if has_two_colons(text, position.line) {
        COLON
    } else {
        ""
    };
    unusable(
        position,
        format!("this is not YAML: {}{hint}", error.info()),
    )
}

const BLOCK: &str =
    "the text of a block (`|` or `>`) must be indented deeper than the key above it";
const COLON: &str = "; a text with a colon and a blank in it belongs in quotes";

/// The first line of a block's text that is not indented deeper than the block's key, above an error.
fn shallow_block(text: &str, line: usize) -> Option<Position> {
    /// The parser sees the error a few lines later.
    const MOST_LINES: usize = 4;
    let lines: Vec<&str> = text.lines().collect();
    let first = line.saturating_sub(MOST_LINES).max(1);
    (first..=line).rev().find_map(|number| {
        let content = *lines.get(number - 1)?;
        let head = lines
            .get(..number - 1)?
            .iter()
            .rposition(|line| !line.trim().is_empty())?;
        let key_line = lines.get(head)?;
        let is_block = opens_block(key_line);
        let indentation = content.len() - content.trim_start().len();
        let is_shallow =
            is_block && !content.trim().is_empty() && indentation <= key_column(key_line);
        is_shallow.then_some(Position {
            line: number,
            column: indentation + 1,
        })
    })
}

/// Whether a line ends with `|` or `>` behind a colon or a hyphen.
fn opens_block(line: &str) -> bool {
    let bare = line
        .trim_end()
        .trim_end_matches(|c: char| matches!(c, '-' | '+') || c.is_ascii_digit());
    let before = bare.strip_suffix(['|', '>']).map(str::trim_end);
    before.is_some_and(|before| before.ends_with([':', '-']))
}

/// The column, from 0, of the key in a line, behind the hyphens of lists.
fn key_column(line: &str) -> usize {
    let mut rest = line.trim_start();
    while let Some(item) = rest.strip_prefix("- ") {
        let inner = item.trim_start();
        if !inner.contains(':') {
            break;
        }
        rest = inner;
    }
    line.len() - rest.len()
}

/// Whether a line without quotes has a colon and a blank in its value.
fn has_two_colons(text: &str, line: usize) -> bool {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    !line.contains(['"', '\'']) && line.matches(": ").count() > 1
}

fn is_indented_by_tab(text: &str, line: usize) -> bool {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let content = line.trim_start_matches([' ', '\t']);
    let indentation = line.strip_suffix(content).unwrap_or_default();
    indentation.contains('\t')
}
