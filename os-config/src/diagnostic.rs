//! What is wrong with a configuration, in words that say where and what to write instead.

use std::fmt;

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The key is not known and has no effect.
    Warning,
    /// The value, or the whole file, is left out.
    Error,
}

/// One problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file or the name of another source, such as `kernel command line`; empty where no reader has named it yet.
    pub file: String,
    /// Line and column, from 1, where they are known.
    pub position: Option<(usize, usize)>,
    /// Dotted key; empty when it is about the whole file.
    pub key_path: String,
    /// What was expected and what was found.
    pub message: String,
    /// Whether something is lost.
    pub severity: Severity,
}

impl Diagnostic {
    /// A lost value; `key_path` is empty where a whole file is lost. Neither file nor position yet.
    pub fn error(key_path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: String::new(),
            position: None,
            key_path: key_path.into(),
            message: message.into(),
            severity: Severity::Error,
        }
    }

    /// A key that is given and has no effect, or not the whole one.
    pub fn warning(key_path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(key_path, message)
        }
    }

    /// The same, with the file or the source that it is about.
    pub fn in_file(self, file: &str) -> Self {
        Self {
            file: file.to_owned(),
            ..self
        }
    }

    /// The same, saying what follows from it.
    pub fn with_note(self, note: &str) -> Self {
        Self {
            message: format!("{}; {note}", self.message),
            ..self
        }
    }

    /// The same, at a line and column, both from 1.
    pub fn at(self, position: (usize, usize)) -> Self {
        Self {
            position: Some(position),
            ..self
        }
    }

    /// Whether something is lost; a warning loses nothing.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The problem with the line it is in and a caret below the place.
    ///
    /// `text` is the content of the file that the problem is about.
    pub fn render(&self, text: &str) -> String {
        let Some((line, column)) = self.position else {
            return self.to_string();
        };
        let Some(content) = text.lines().nth(line.saturating_sub(1)) else {
            return self.to_string();
        };
        let (shown, offset) = excerpt(content, column.saturating_sub(1));
        let number = line.to_string();
        let gap = " ".repeat(number.len());
        let caret = " ".repeat(offset);
        format!("{self}\n{gap} |\n{number} | {shown}\n{gap} | {caret}^")
    }
}

/// The part of a line around `column` without control characters, and the column within that part.
fn excerpt(line: &str, column: usize) -> (String, usize) {
    const LONGEST: usize = 120;
    let length = line.chars().count();
    let column = column.min(length);
    let start = if length <= LONGEST {
        0
    } else {
        column.saturating_sub(LONGEST / 2).min(length - LONGEST)
    };
    let shown = line
        .chars()
        .skip(start)
        .take(LONGEST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    (shown, column - start)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some((line, column)) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        f.write_str(": ")?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.key_path.is_empty() {
            write!(f, "{}: ", self.key_path)?;
        }
        f.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::{Diagnostic, Severity};

    #[test]
    fn odd_places_and_long_lines() {
        let text = format!("a: {}\n", "x\u{7}é".repeat(4000));
        for position in [(1, 1), (1, 6000), (1, 100_000), (9, 9), (0, 0)] {
            let problem = Diagnostic {
                file: "f".into(),
                position: Some(position),
                key_path: "k".into(),
                message: "m".into(),
                severity: Severity::Warning,
            };
            let shown = problem.render(&text);
            assert!(
                shown.starts_with("f:") && shown.len() < 800 && !shown.contains('\u{7}'),
                "{position:?}: {shown}"
            );
        }
    }
}
