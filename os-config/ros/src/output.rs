//! What `ros` asks of a person at a terminal.

use std::io::Write;

use anyhow::{Context, Result};

/// Asks whether to go on. Only an answer that begins with y goes on, as in RancherOS.
pub(crate) fn confirm() -> Result<bool> {
    eprint!("Continue [y/N]: ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("reading the answer")?;
    Ok(answer.trim_start().starts_with(['y', 'Y']))
}
