//! The boot's timeline: a JSON object a line in `/run/ros/boot-time.jsonl`. PID 1 and `ros sysinit` write it; `ros
//! boot-time` and `ros status` read it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::paths::{RUN, TIMELINE};

/// A point of the boot: its name, its time and its duration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// The phase or service that was reached, such as `mount state` or `console`.
    pub name: String,
    /// Seconds since the kernel started.
    pub at: f64,
    /// The duration in seconds, if it is known.
    pub took: Option<f64>,
}

/// Seconds since the kernel started (`/proc/uptime`); 0 if the file cannot be read.
pub fn uptime_secs() -> f64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split_ascii_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0.0)
}

/// Appends a mark. Ignores errors: a timeline that cannot be written must not stop a boot.
pub fn record(name: &str, took: Option<f64>) {
    let mark = TimelineEntry {
        name: name.to_owned(),
        at: uptime_secs(),
        took,
    };
    let Ok(text) = serde_json::to_string(&mark) else {
        return;
    };
    let _ = std::fs::create_dir_all(RUN);
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(TIMELINE) {
        let _ = writeln!(file, "{text}");
    }
}

/// Reads the marks of this boot, leaving out lines that a crash cut short.
pub fn read(file: &Path) -> Vec<TimelineEntry> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{TimelineEntry, read};

    #[test]
    fn a_cut_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let file = dir.join("t");
        std::fs::write(
            &file,
            "{\"name\":\"a\",\"at\":1.5,\"took\":null}\n{\"name\":\"b\",\"a",
        )
        .unwrap();
        assert_eq!(
            read(&file),
            [TimelineEntry {
                name: "a".into(),
                at: 1.5,
                took: None
            }]
        );
    }
}
