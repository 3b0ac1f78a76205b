//! Problems of configurations and definitions as users see them.

use os_config::Diagnostic;

/// A problem and the text of the file that it is in.
#[derive(Debug)]
pub(crate) struct LocatedProblem {
    pub(crate) problem: Diagnostic,
    pub(crate) text: String,
}

impl LocatedProblem {
    /// A problem that is in no line of a file.
    pub(crate) fn without_text(problem: Diagnostic) -> Self {
        Self {
            problem,
            text: String::new(),
        }
    }
}

/// Prints problems with their lines on standard error. Returns whether any is an error.
pub(crate) fn report(problems: &[LocatedProblem]) -> bool {
    for LocatedProblem { problem, text } in problems {
        eprintln!("{}", problem.render(text));
    }
    problems.iter().any(|located| located.problem.is_error())
}
