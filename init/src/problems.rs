//! What is wrong with this boot: said once on the consoles, and kept for the ssh banner and `ros config validate`.

use std::fs::OpenOptions;
use std::io::Write;

use crate::announce;

const FILE: &str = "/run/ros/problems";

/// Says a problem on every console and keeps its first line; one that is kept already is not said again.
pub fn say(text: &str) {
    let first = text.lines().next().unwrap_or_default();
    if kept().iter().any(|line| line == first) {
        return;
    }
    announce::line(&format!("ros: {text}"));
    // The console has it; a full /run is nothing that a boot may end at.
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(FILE) {
        let _ = writeln!(file, "{first}");
    }
}

/// The problems that this boot has said, a line each.
pub fn kept() -> Vec<String> {
    let text = std::fs::read_to_string(FILE).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
