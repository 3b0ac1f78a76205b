//! The results of a test run: a JSON object a line for each boot and each finished test, in the file that
//! `PADDOCK_RESULTS` names. `suites` makes the file and reads it; without the variable nothing is recorded.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

/// The environment variable with the file's path.
pub const VARIABLE: &str = "PADDOCK_RESULTS";

/// An event of a test run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A machine with the whole system was started or restarted. The harness's own tests boot a busybox, which does
    /// not count.
    Boot {
        /// The test, or the test that needed a shared machine first.
        test: String,
    },
    /// A test, or a part of a test, has ended.
    Test {
        /// The test.
        test: String,
        /// Its time in seconds, without the wait for a machine.
        seconds: f64,
        /// The reason, if it has failed.
        failure: Option<String>,
    },
}

/// Records a boot of the running test.
pub fn record_boot() {
    record(&Event::Boot { test: test_name() });
}

/// Records the end of the running test.
pub fn record_test(took: Duration, result: &Result<()>) {
    record(&Event::Test {
        test: test_name(),
        seconds: took.as_secs_f64(),
        failure: result.as_ref().err().map(|error| format!("{error:#}")),
    });
}

/// Runs a test's body; a panic in it, as of an assertion, is an error like any other. So the machine's traces are kept.
pub fn catch(body: impl FnOnce() -> Result<()>) -> Result<()> {
    std::panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Err(anyhow!("{}", text.unwrap_or("a panic without a text")))
    })
}

/// The events in a file, in their order.
pub fn read(file: &Path) -> Result<Vec<Event>> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    text.lines()
        .map(|line| {
            serde_json::from_str(line)
                .with_context(|| format!("reading `{line}` in {}", file.display()))
        })
        .collect()
}

/// Libtest runs each test in a thread that is called after it.
fn test_name() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let program = program
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    // Cargo adds a hash to the name.
    let program = program
        .rsplit_once('-')
        .map_or(program.as_str(), |(name, _)| name);
    let thread = std::thread::current();
    format!("{program}::{}", thread.name().unwrap_or("?"))
}

fn record(event: &Event) {
    let Some(file) = std::env::var_os(VARIABLE) else {
        return;
    };
    if let Err(error) = append(Path::new(&file), event) {
        eprintln!("recording a result: {error:#}");
    }
}

/// One write a line: several programs append.
fn append(file: &Path, event: &Event) -> Result<()> {
    let line = serde_json::to_string(event)? + "\n";
    let mut file = OpenOptions::new().append(true).open(file)?;
    file.write_all(line.as_bytes()).context("appending a line")
}

#[cfg(test)]
mod tests {
    use super::{Event, append, catch, read, test_name};

    #[test]
    fn events_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("results.jsonl");
        std::fs::write(&file, "").unwrap();
        let events = [
            Event::Boot { test: "a".into() },
            Event::Test {
                test: "a".into(),
                seconds: 1.5,
                failure: Some("no answer".into()),
            },
        ];
        for event in &events {
            append(&file, event).unwrap();
        }
        assert_eq!(read(&file).unwrap(), events);
    }

    #[test]
    fn a_failed_assertion_is_an_error() {
        let error = catch(|| {
            assert_eq!(1, 2, "the machine has {} disks", 2);
            Ok(())
        });
        let text = format!("{:#}", error.unwrap_err());
        assert!(text.contains("the machine has 2 disks"), "{text}");
    }

    #[test]
    fn a_test_is_called_after_its_program_and_function() {
        let name = test_name();
        assert!(
            name.starts_with("qemu_tests::")
                && name.ends_with("a_test_is_called_after_its_program_and_function"),
            "{name}"
        );
    }
}
