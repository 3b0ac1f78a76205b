//! What is wrong with this boot: said once on the consoles, and kept for the ssh banner and `ros config validate`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::console;
use crate::paths::{PENDING_PROBLEMS, PROBLEMS};

const KERNEL_LOG: &str = "/dev/kmsg";

/// Says a problem on every console and keeps its first line; one that is kept already is not said again.
pub fn report(text: &str) {
    let first = text.lines().next().unwrap_or_default();
    if list().iter().any(|line| line == first) {
        return;
    }
    if Path::new(KERNEL_LOG).exists() {
        console::line(&format!("ros: {text}"));
    } else {
        eprintln!("ros: {text}");
        append(PENDING_PROBLEMS, first);
    }
    append(PROBLEMS, first);
}

/// Says on every console what others could not say there.
pub fn flush_pending() {
    let taken = format!("{PENDING_PROBLEMS}.taken");
    if std::fs::rename(PENDING_PROBLEMS, &taken).is_err() {
        return;
    }
    let text = std::fs::read_to_string(&taken).unwrap_or_default();
    for line in text.lines() {
        console::line(&format!("ros: {line}"));
    }
}

/// A full /run is nothing that a boot may end at.
fn append(file: &str, line: &str) {
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(file) {
        let _ = writeln!(file, "{line}");
    }
}

/// Forgets problems that are none any more: those whose text begins so.
pub fn clear(beginning: &str) {
    let kept: String = list()
        .into_iter()
        .filter(|line| !line.starts_with(beginning))
        .map(|line| line + "\n")
        .collect();
    let _ = std::fs::write(PROBLEMS, kept);
}

/// The problems that this boot has said, a line each.
pub fn list() -> Vec<String> {
    let text = std::fs::read_to_string(PROBLEMS).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
