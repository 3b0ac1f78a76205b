//! Diagnostics of configurations and definitions as users see them.

use os_config::Diagnostic;

/// A diagnostic and the text of the file that it is in.
#[derive(Debug)]
pub(crate) struct LocatedDiagnostic {
    pub(crate) diagnostic: Diagnostic,
    pub(crate) text: String,
}

impl LocatedDiagnostic {
    /// A diagnostic that is in no line of a file.
    pub(crate) fn without_text(diagnostic: Diagnostic) -> Self {
        Self {
            diagnostic,
            text: String::new(),
        }
    }
}

/// Prints diagnostics with their lines on standard error. Returns whether any is an error.
pub(crate) fn report(diagnostics: &[LocatedDiagnostic]) -> bool {
    for LocatedDiagnostic { diagnostic, text } in diagnostics {
        eprintln!("{}", diagnostic.render(text));
    }
    diagnostics
        .iter()
        .any(|located| located.diagnostic.is_error())
}
