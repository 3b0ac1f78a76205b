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
    // The parser has no kind for this error.
    if is_indented_by_tab(text, position.line) {
        return unusable(position, TAB);
    }
    unusable(position, format!("this is not YAML: {}", error.info()))
}

fn is_indented_by_tab(text: &str, line: usize) -> bool {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let content = line.trim_start_matches([' ', '\t']);
    let indentation = line.strip_suffix(content).unwrap_or_default();
    indentation.contains('\t')
}
