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
pub struct Problem {
    /// The file or the name of another source, such as `kernel command line`.
    pub file: String,
    /// Line and column, from 1, where they are known.
    pub position: Option<(usize, usize)>,
    /// Dotted key; empty when it is about the whole file.
    pub key_path: String,
    /// What was expected and what was found.
    pub message: String,
    pub severity: Severity,
}

impl Problem {
    /// The problem with the line it is in and a caret below the place.
    ///
    /// `text` is the content of the file that the problem is about.
    pub fn render(&self, text: &str) -> String {
        const LONGEST: usize = 160;
        let Some((line, column)) = self.position else {
            return self.to_string();
        };
        let Some(content) = text.lines().nth(line.saturating_sub(1)) else {
            return self.to_string();
        };
        let shown: String = content
            .chars()
            .take(LONGEST)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let number = line.to_string();
        let gap = " ".repeat(number.len());
        let caret = " ".repeat(column.saturating_sub(1).min(LONGEST));
        format!("{self}\n{gap} |\n{number} | {shown}\n{gap} | {caret}^")
    }
}

impl fmt::Display for Problem {
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
