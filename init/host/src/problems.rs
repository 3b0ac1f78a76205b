//! The problems of this boot: shown once on the consoles, and kept for the ssh banner, `ros status`, `ros report` and
//! `ros config validate`.
//!
//! They are records in `/run/ros/problems.jsonl`, a JSON object a line. Several processes append at the same time, and
//! no process rewrites the file: a record that clears a problem or tells that a console has shown it is appended too,
//! and [`list`] folds the records. PID 1 appends as well, so no process holds a lock.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use os_config::{Diagnostic, Severity};
use serde::{Deserialize, Serialize};

use crate::console;
use crate::paths::{DONE_SERVICES, PROBLEMS, SERVICE_PROBLEMS, SERVICE_RUNS};

const KERNEL_LOG: &str = "/dev/kmsg";
/// The id of every problem in a document of the configuration.
const CONFIG: &str = "config";
/// The size in bytes at which the file takes no further problem. Documents of the network can hold any number of faults,
/// and the file is in memory.
const FILE_LIMIT: u64 = 1 << 20;
/// The longest text of a problem in the file, in characters.
const TEXT_LIMIT: usize = 1000;

/// A problem of this boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemRecord {
    /// Names the kind of problem for programs, from part to detail, such as `switch.console`.
    pub id: String,
    /// The part of the system with the fault, or the document, such as `service web` or a path.
    pub source: String,
    pub severity: Severity,
    /// The line that people see.
    pub text: String,
    /// The place in the document and the message alone, if the problem is in a document.
    pub diagnostic: Option<Diagnostic>,
    /// Whether the process that reported it had no console to show it on.
    pending: bool,
}

impl ProblemRecord {
    /// A problem that loses a value or a function.
    pub fn error(
        id: impl Into<String>,
        source: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            source: source.into(),
            severity: Severity::Error,
            text: text.into(),
            diagnostic: None,
            pending: false,
        }
    }

    /// A problem that costs nothing now and wants a look.
    pub fn warning(
        id: impl Into<String>,
        source: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(id, source, text)
        }
    }

    /// A problem in a document that is no layer of the configuration.
    pub fn of_document(id: &str, diagnostic: Diagnostic) -> Self {
        Self {
            severity: diagnostic.severity,
            diagnostic: Some(diagnostic.clone()),
            ..Self::error(id, &diagnostic.file, diagnostic.to_string())
        }
    }

    /// Whether the fault is the same, and its text too. The same problem is shown once.
    pub fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.text == other.text
    }

    fn has_key(&self, key: &ProblemKey) -> bool {
        self.id == key.id && self.text == key.text
    }
}

impl From<&Diagnostic> for ProblemRecord {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self::of_document(CONFIG, diagnostic.clone())
    }
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum LogLine {
    Reported(ProblemRecord),
    /// The problems with this id are solved.
    Cleared {
        cleared: String,
    },
    /// The consoles have shown a problem that was pending.
    Shown {
        shown: ProblemKey,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct ProblemKey {
    id: String,
    text: String,
}

/// Shows a problem on every console and keeps it with the first line of its text. A problem that is in the list is not
/// shown again.
pub fn report(problem: &ProblemRecord) {
    let first = problem.text.lines().next().unwrap_or_default();
    let mut kept = ProblemRecord {
        text: first.chars().take(TEXT_LIMIT).collect(),
        ..problem.clone()
    };
    if list().iter().any(|known| known.is_same(&kept)) {
        return;
    }
    if Path::new(KERNEL_LOG).exists() {
        console::print_line(&format!("ros: {}", problem.text));
    } else {
        eprintln!("ros: {}", problem.text);
        kept.pending = true;
    }
    append(&own_file(), &LogLine::Reported(kept));
}

/// The file that this process appends to: in a service with a folder of its own the file there.
fn own_file() -> PathBuf {
    let of_service = service_files().find(|file| file.parent().is_some_and(Path::exists));
    match of_service {
        // Only the host has this folder.
        Some(file) if !Path::new(DONE_SERVICES).exists() => file,
        _ => PROBLEMS.into(),
    }
}

fn service_files() -> impl Iterator<Item = PathBuf> {
    SERVICE_RUNS
        .iter()
        .map(|folder| Path::new(folder).join(SERVICE_PROBLEMS))
}

/// The records of the services' files and of the file of all others.
fn records() -> Vec<LogLine> {
    let of_services = service_files().flat_map(|file| read_of_service(&file));
    of_services.chain(read(Path::new(PROBLEMS))).collect()
}

/// Shows on every console the problems that processes without a console have reported.
pub fn flush_pending() {
    for problem in take_pending(list(), Path::new(PROBLEMS)) {
        console::print_line(&format!("ros: {}", problem.text));
    }
}

/// Removes the problems with this id from the list: they are solved. The next such problem is shown again.
pub fn clear(id: &str) {
    clear_in(&list(), Path::new(PROBLEMS), id);
}

/// The problems of this boot, in the order of their reports.
pub fn list() -> Vec<ProblemRecord> {
    fold(records())
}

/// Each problem once, in the order of the first of equals.
pub fn distinct(problems: impl IntoIterator<Item = ProblemRecord>) -> Vec<ProblemRecord> {
    let mut found: Vec<ProblemRecord> = Vec::new();
    for problem in problems {
        if !found.iter().any(|known| known.is_same(&problem)) {
            found.push(problem);
        }
    }
    found
}

fn clear_in(known: &[ProblemRecord], file: &Path, id: &str) {
    if known.iter().any(|problem| problem.id == id) {
        let cleared = id.to_owned();
        append(file, &LogLine::Cleared { cleared });
    }
}

/// Returns the pending problems and records that they are shown.
fn take_pending(known: Vec<ProblemRecord>, file: &Path) -> Vec<ProblemRecord> {
    let pending: Vec<ProblemRecord> = known
        .into_iter()
        .filter(|problem| problem.pending)
        .collect();
    for ProblemRecord { id, text, .. } in &pending {
        let (id, text) = (id.clone(), text.clone());
        let shown = ProblemKey { id, text };
        append(file, &LogLine::Shown { shown });
    }
    pending
}

/// Reads the records of a file. A line that is no record is left out: a full /run cuts lines.
fn read(file: &Path) -> Vec<LogLine> {
    parse(&std::fs::read(file).unwrap_or_default())
}

/// Reads the file of a service, which faces the network and may put anything in the file's place: reading neither blocks
/// nor follows a link nor takes much memory. A service can only report, and no byte acts on a terminal.
fn read_of_service(file: &Path) -> Vec<LogLine> {
    let mut options = OpenOptions::new();
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
    options.read(true).custom_flags(flags.bits());
    let mut bytes = Vec::new();
    if let Ok(file) = options.open(file)
        && file.metadata().is_ok_and(|found| found.is_file())
    {
        let _ = file.take(FILE_LIMIT).read_to_end(&mut bytes);
    }
    let reported = parse(&bytes).into_iter().filter_map(|record| match record {
        LogLine::Reported(problem) => Some(LogLine::Reported(ProblemRecord {
            text: problem.text.replace(char::is_control, " "),
            ..problem
        })),
        LogLine::Cleared { .. } | LogLine::Shown { .. } => None,
    });
    reported.collect()
}

fn parse(bytes: &[u8]) -> Vec<LogLine> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

/// The problems that are left after all records.
fn fold(records: Vec<LogLine>) -> Vec<ProblemRecord> {
    let mut found: Vec<ProblemRecord> = Vec::new();
    for record in records {
        match record {
            LogLine::Reported(problem) => {
                // Two processes may report the same problem at the same time.
                if !found.iter().any(|known| known.is_same(&problem)) {
                    found.push(problem);
                }
            }
            LogLine::Cleared { cleared } => found.retain(|problem| problem.id != cleared),
            LogLine::Shown { shown } => {
                for problem in found.iter_mut().filter(|problem| problem.has_key(&shown)) {
                    problem.pending = false;
                }
            }
        }
    }
    found
}

/// Ignores errors: a full /run must not end a boot.
fn append(file: &Path, record: &LogLine) {
    let opened = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        // The texts of problems are for administrators.
        .mode(0o600)
        .open(file);
    if let (Ok(mut file), Ok(text)) = (opened, serde_json::to_string(record)) {
        // A record that a problem is solved or shown is small, and there are no more of them than of problems.
        let limit = match record {
            LogLine::Reported(_) => FILE_LIMIT,
            LogLine::Cleared { .. } | LogLine::Shown { .. } => 2 * FILE_LIMIT,
        };
        let size = file.metadata().map_or(0, |found| found.len());
        if size + text.len() as u64 > limit {
            return;
        }
        let start = if ends_within_line(&mut file) {
            "\n"
        } else {
            ""
        };
        // One write: the kernel keeps it in one piece among the writes of other processes.
        let _ = file.write_all(format!("{start}{text}\n").as_bytes());
    }
}

/// Whether the last line has been cut. The next record must not continue it.
fn ends_within_line(file: &mut File) -> bool {
    let mut last = [b'\n'];
    let is_read = file.seek(SeekFrom::End(-1)).is_ok() && file.read_exact(&mut last).is_ok();
    is_read && last != [b'\n']
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::process::Command;

    use os_config::Diagnostic;

    use super::{LogLine, ProblemRecord, append, distinct, fold, read, read_of_service};

    /// Names the file of the child that appends in a process of its own.
    const CHILD_FILE: &str = "PROBLEMS_TEST_FILE";
    const EACH: usize = 200;

    fn add(file: &Path, id: &str, text: &str) {
        append(
            file,
            &LogLine::Reported(ProblemRecord::error(id, "test", text)),
        );
    }

    fn list_in(file: &Path) -> Vec<ProblemRecord> {
        fold(read(file))
    }

    fn clear_in(file: &Path, id: &str) {
        super::clear_in(&list_in(file), file, id);
    }

    fn take_pending(file: &Path) -> Vec<ProblemRecord> {
        super::take_pending(list_in(file), file)
    }

    #[test]
    fn a_service_reports_and_does_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("problems");
        add(&file, "network", "no\u{1b}[2Janswer");
        clear_in(&file, "network");
        let texts = || -> Vec<String> {
            let found = fold(read_of_service(&file)).into_iter();
            found.map(|problem| problem.text).collect()
        };
        assert_eq!(texts(), ["no [2Janswer"]);
        // What stands in the file's place neither blocks nor is followed.
        let real = folder.path().join("real");
        std::fs::rename(&file, &real).unwrap();
        std::os::unix::fs::symlink(&real, &file).unwrap();
        assert_eq!(texts(), [""; 0]);
        std::fs::remove_file(&file).unwrap();
        nix::unistd::mkfifo(&file, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(texts(), [""; 0]);
    }

    fn texts(file: &Path) -> Vec<String> {
        list_in(file).into_iter().map(|found| found.text).collect()
    }

    #[test]
    fn a_cleared_problem_leaves_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("problems");
        add(&file, "switch.console", "console a: no answer");
        add(&file, "switch.engine", "engine b: no answer");
        clear_in(&file, "switch.console");
        assert_eq!(texts(&file), ["engine b: no answer"]);
        add(&file, "switch.console", "console a: no answer");
        assert_eq!(
            texts(&file),
            ["engine b: no answer", "console a: no answer"]
        );
        clear_in(&file, "switch");
        assert_eq!(texts(&file).len(), 2, "an id is no prefix");
    }

    #[test]
    fn a_damaged_line_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("problems");
        add(&file, "a", "first");
        let mut whole = std::fs::OpenOptions::new()
            .append(true)
            .open(&file)
            .unwrap();
        whole.write_all(b"\xff\n[]\n{\"id\":\"a\",\"tex").unwrap();
        add(&file, "a", "second\nline");
        assert_eq!(texts(&file), ["first", "second\nline"]);
    }

    #[test]
    fn the_file_has_a_limit_of_size() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("problems");
        let long = "x".repeat(100_000);
        for number in 0..30 {
            add(&file, "many", &format!("{number} {long}"));
        }
        assert!(std::fs::metadata(&file).unwrap().len() <= super::FILE_LIMIT);
        assert_eq!(texts(&file).len(), 10);
        clear_in(&file, "many");
        assert_eq!(list_in(&file), []);
    }

    #[test]
    fn a_pending_problem_is_shown_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("problems");
        add(&file, "a", "shown");
        let pending = ProblemRecord {
            pending: true,
            ..ProblemRecord::error("b", "test", "pending")
        };
        append(&file, &LogLine::Reported(pending));
        assert_eq!(take_pending(&file).len(), 1);
        assert_eq!(take_pending(&file), []);
        assert_eq!(texts(&file), ["shown", "pending"]);
    }

    #[test]
    fn a_diagnostic_keeps_severity_and_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("problems");
        let diagnostic = Diagnostic::warning("a.b", "has no effect")
            .in_file("/x.yml")
            .with_position((3, 4));
        let problem = ProblemRecord::from(&diagnostic);
        append(&file, &LogLine::Reported(problem.clone()));
        let found = list_in(&file);
        assert_eq!(found, [problem]);
        assert_eq!(found[0].text, diagnostic.to_string());
        assert_eq!(found[0].diagnostic.as_ref(), Some(&diagnostic));
        assert_eq!(
            distinct([found[0].clone(), ProblemRecord::from(&diagnostic)]),
            found
        );
    }

    /// The child of the next test; without the variable it has nothing to do.
    #[test]
    fn append_as_child() {
        let Some(file) = std::env::var_os(CHILD_FILE) else {
            return;
        };
        for number in 0..EACH {
            add(Path::new(&file), "kept.child", &format!("child {number}"));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test is not PID 1")]
    #[test]
    fn nothing_is_lost_while_others_append_and_clear() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("problems");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "problems::tests::append_as_child"])
            .env(CHILD_FILE, &file)
            .spawn()
            .unwrap();
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let file = &file;
                scope.spawn(move || {
                    for number in 0..EACH {
                        add(file, "kept.thread", &format!("thread {thread} {number}"));
                    }
                });
            }
            for number in 0..EACH {
                add(&file, "solved", &format!("solved {number}"));
                clear_in(&file, "solved");
            }
        });
        assert!(child.wait().unwrap().success());
        let found = list_in(&file);
        let of = |id: &str| found.iter().filter(|problem| problem.id == id).count();
        assert_eq!(
            (of("kept.child"), of("kept.thread"), of("solved")),
            (EACH, 2 * EACH, 0)
        );
    }
}
