//! A diagnostic: a problem in a document of the configuration. Its message gives the place and the expected value.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The loss that a diagnostic stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A key has no effect, or less than the user may expect. No value is lost.
    Warning,
    /// A value or a whole file is left out.
    Error,
}

/// One problem of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file or the name of another source, such as `kernel command line`; empty where no reader has named it yet.
    pub file: String,
    /// Line and column, from 1, where they are known.
    pub position: Option<(usize, usize)>,
    /// Dotted path of the key; empty for the whole file.
    pub key_path: String,
    /// Gives the expected value and the found value.
    pub message: String,
    pub severity: Severity,
}

impl Diagnostic {
    /// An error without file and position; `key_path` is empty for a whole file.
    pub fn error(key_path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: String::new(),
            position: None,
            key_path: key_path.into(),
            message: message.into(),
            severity: Severity::Error,
        }
    }

    /// A warning without file and position.
    pub fn warning(key_path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(key_path, message)
        }
    }

    /// Adds the file or another source.
    pub fn in_file(self, file: &str) -> Self {
        Self {
            file: file.to_owned(),
            ..self
        }
    }

    /// Adds the consequence to the message.
    pub fn with_note(self, note: &str) -> Self {
        Self {
            message: format!("{}; {note}", self.message),
            ..self
        }
    }

    /// Adds line and column, both from 1.
    pub fn with_position(self, position: (usize, usize)) -> Self {
        Self {
            position: Some(position),
            ..self
        }
    }

    /// Whether a value or a file is lost.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The problem, its line of `text`, which is the file's content, and a caret below its column.
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

/// The part of a line around `column`, without control characters, and the column within that part.
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

/// A text of a document in quotes, as the document has it, but with its control characters escaped.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::from("\"");
    for c in text.chars() {
        match c {
            c if c.is_control() => shown.extend(c.escape_debug()),
            c => shown.push(c),
        }
    }
    shown.push('"');
    shown
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
    use super::{Diagnostic, Severity, quoted};

    #[test]
    fn quotes_are_shown_as_they_are_written() {
        for (text, expected) in [
            ("-m -t 'com.'", "\"-m -t 'com.'\""),
            ("say \"a\"", "\"say \"a\"\""),
            ("a\nb\u{7}c\\d", "\"a\\nb\\u{7}c\\d\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

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
