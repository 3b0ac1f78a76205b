//! The files of `ros config`: cloud-configs that it reads, and files that it replaces as a whole.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

/// Reads a file, or standard input if the name is missing or `-`. Returns the name for messages, and the content.
pub(super) fn read_input(input: Option<&Path>) -> Result<(String, Vec<u8>)> {
    let (name, bytes) = match input {
        Some(file) if file != Path::new("-") => (
            file.display().to_string(),
            fs::read(file).with_context(|| format!("reading {}", file.display()))?,
        ),
        _ => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .context("reading standard input")?;
            ("standard input".to_owned(), bytes)
        }
    };
    Ok((name, bytes))
}

pub(super) fn write(file: &Path, text: &str, mode: u32) -> Result<()> {
    os_config::atomic_file::replace(file, text.as_bytes(), mode)
        .with_context(|| format!("writing {} (are you root?)", file.display()))
}
