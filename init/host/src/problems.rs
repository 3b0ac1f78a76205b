//! The problems of this boot: shown once on the consoles, and kept for the ssh banner, `ros status`
//! and `ros config validate`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::console;
use crate::paths::{PENDING_PROBLEMS, PROBLEMS};

const KERNEL_LOG: &str = "/dev/kmsg";

/// Shows a problem on every console and keeps its first line. A problem that is in the list is not shown again.
pub fn report(text: &str) {
    let first = text.lines().next().unwrap_or_default();
    if list().iter().any(|line| line == first) {
        return;
    }
    if Path::new(KERNEL_LOG).exists() {
        console::print_line(&format!("ros: {text}"));
    } else {
        eprintln!("ros: {text}");
        append(PENDING_PROBLEMS, first);
    }
    append(PROBLEMS, first);
}

/// Shows on every console the problems that processes without a console have reported.
pub fn flush_pending() {
    let taken = format!("{PENDING_PROBLEMS}.taken");
    if std::fs::rename(PENDING_PROBLEMS, &taken).is_err() {
        return;
    }
    let text = std::fs::read_to_string(&taken).unwrap_or_default();
    for line in text.lines() {
        console::print_line(&format!("ros: {line}"));
    }
}

/// Ignores errors: a full /run must not end a boot.
fn append(file: &str, line: &str) {
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(file) {
        let _ = writeln!(file, "{line}");
    }
}

/// Removes the problems whose text starts with `beginning`: they are solved.
pub fn clear(beginning: &str) {
    let kept: String = list()
        .into_iter()
        .filter(|line| !line.starts_with(beginning))
        .map(|line| line + "\n")
        .collect();
    let _ = std::fs::write(PROBLEMS, kept);
}

/// The problems of this boot, a line each.
pub fn list() -> Vec<String> {
    let text = std::fs::read_to_string(PROBLEMS).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
