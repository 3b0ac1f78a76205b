//! Progress on standard error: a line a step, with its time. On a terminal the line is there while the step runs.

use std::io::{IsTerminal, Write};
use std::time::Instant;

/// A step that runs.
#[derive(Debug)]
pub(crate) struct RunningStep {
    name: String,
    started: Instant,
    is_open: bool,
}

/// Shows a step that begins.
pub(crate) fn announce(name: &str) -> RunningStep {
    let is_open = std::io::stderr().is_terminal();
    if is_open {
        eprint!("  {name} …");
        let _ = std::io::stderr().flush();
    }
    RunningStep {
        name: name.to_owned(),
        started: Instant::now(),
        is_open,
    }
}

impl RunningStep {
    /// Shows the step's time.
    pub(crate) fn finish(self) {
        self.finish_with("");
    }

    /// Shows the step's time and a note.
    pub(crate) fn finish_with(self, note: &str) {
        let start = if self.is_open { "\r" } else { "" };
        let seconds = self.started.elapsed().as_secs_f32();
        eprintln!("{start}  {:<28} {seconds:>6.1} s{note}", self.name);
    }
}
