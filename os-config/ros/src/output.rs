//! The forms of lists, and the question whether to continue: every command prints and asks alike.

use std::io::Write;

use anyhow::{Context, Result};

/// The form of a list or a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// Asks whether to continue. Only an answer that begins with y means yes, as in RancherOS.
pub(crate) fn confirm() -> Result<bool> {
    eprint!("Continue [y/N]: ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("reading the answer")?;
    Ok(answer.trim_start().starts_with(['y', 'Y']))
}
