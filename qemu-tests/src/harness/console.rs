//! The serial console: a reader thread keeps everything that the machine prints; tests wait for text and type.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::harness::wait::Deadline;

/// A machine's serial console.
#[derive(Debug)]
pub struct Console {
    shared: Arc<(Mutex<Log>, Condvar)>,
    input: Mutex<UnixStream>,
}

#[derive(Debug, Default)]
struct Log {
    text: String,
    is_closed: bool,
}

/// A position in the console's text; tests wait for text after it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Position(usize);

impl Console {
    /// Reads `stream` in a thread of its own; the raw bytes go to `log_file` as well.
    pub fn attach(stream: UnixStream, log_file: &Path) -> Result<Self> {
        let mut file =
            File::create(log_file).with_context(|| format!("creating {}", log_file.display()))?;
        let mut output = stream.try_clone().context("cloning the console's socket")?;
        let shared = Arc::new((Mutex::new(Log::default()), Condvar::new()));
        let writer = Arc::clone(&shared);
        thread::spawn(move || {
            let mut cleaner = Cleaner::default();
            let mut buffer = [0; 4096];
            loop {
                let count = output.read(&mut buffer).unwrap_or(0);
                let (log, changed) = &*writer;
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                if count == 0 {
                    log.is_closed = true;
                    changed.notify_all();
                    return;
                }
                // A full disk must not stop the test: the text is in memory as well.
                file.write_all(&buffer[..count]).ok();
                cleaner.push(&buffer[..count], &mut log.text);
                changed.notify_all();
            }
        });
        Ok(Self {
            shared,
            input: Mutex::new(stream),
        })
    }

    /// Waits until `pattern` is in the text; returns at once if it is there already.
    pub fn wait_for(&self, pattern: &str, deadline: Deadline) -> Result<()> {
        self.wait_for_after(Position::default(), pattern, deadline)
    }

    /// Waits until `pattern` is printed after `mark`.
    pub fn wait_for_after(&self, mark: Position, pattern: &str, deadline: Deadline) -> Result<()> {
        self.wait(mark, pattern, deadline, |text| text.find(pattern).map(drop))
    }

    /// Waits until a line with `pattern` is printed after `mark`, and returns the whole line.
    pub fn wait_line_after(
        &self,
        mark: Position,
        pattern: &str,
        deadline: Deadline,
    ) -> Result<String> {
        self.wait(mark, pattern, deadline, |text| line_with(text, pattern))
    }

    fn wait<T>(
        &self,
        mark: Position,
        pattern: &str,
        deadline: Deadline,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        let changed = &self.shared.1;
        let mut log = self.lock();
        loop {
            if let Some(found) = find(&log.text[mark.0..]) {
                return Ok(found);
            }
            if log.is_closed {
                bail!("the machine ended while its console was waited on for `{pattern}`");
            }
            let Some(left) = deadline.time_left() else {
                bail!(
                    "waited {:?} for `{pattern}` on the console",
                    deadline.budget()
                );
            };
            log = changed
                .wait_timeout(log, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// The end of the text so far.
    pub fn mark(&self) -> Position {
        Position(self.lock().text.len())
    }

    /// The whole text so far, without terminal control sequences.
    pub fn text(&self) -> String {
        self.lock().text.clone()
    }

    /// The last `count` lines.
    pub fn tail(&self, count: usize) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// Types `line` and Enter.
    pub fn type_line(&self, line: &str) -> Result<()> {
        let mut input = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        input
            .write_all(format!("{line}\r").as_bytes())
            .with_context(|| format!("typing `{line}` on the console"))
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line with `pattern`, once its end has arrived.
fn line_with(text: &str, pattern: &str) -> Option<String> {
    let at = text.find(pattern)?;
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = at + text[at..].find('\n')?;
    Some(text[start..end].trim_end().to_owned())
}

/// Takes terminal control sequences and carriage returns out of a byte stream that arrives in pieces.
#[derive(Debug, Default)]
struct Cleaner {
    state: State,
    pending: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    #[default]
    Text,
    Escape,
    Sequence,
    /// A string, e.g. a window's title, up to BEL or ESC.
    Operating,
}

impl Cleaner {
    fn push(&mut self, bytes: &[u8], text: &mut String) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (_, 0x1b) => State::Escape,
                (State::Text, b'\r' | 0) => State::Text,
                (State::Text, _) => {
                    self.pending.push(byte);
                    State::Text
                }
                (State::Escape, b'[') => State::Sequence,
                (State::Escape, b']') => State::Operating,
                (State::Escape, b'(' | b')') => State::Escape,
                (State::Escape, _) => State::Text,
                (State::Sequence, 0x40..=0x7e) => State::Text,
                (State::Sequence, _) => State::Sequence,
                (State::Operating, 0x07) => State::Text,
                (State::Operating, _) => State::Operating,
            };
        }
        self.flush(text);
    }

    /// Keeps back the first bytes of a character whose rest has not arrived.
    fn flush(&mut self, text: &mut String) {
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(good) => {
                    text.push_str(good);
                    self.pending.clear();
                    return;
                }
                Err(error) => {
                    let rest = self.pending.split_off(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(&self.pending));
                    self.pending = rest;
                    let Some(length) = error.error_len() else {
                        return;
                    };
                    text.push('\u{fffd}');
                    self.pending.drain(..length);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::{Cleaner, Console, Position};
    use crate::harness::wait::Deadline;

    fn pair() -> (Console, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let console = Console::attach(ours, log.path()).unwrap();
        (console, theirs)
    }

    #[test]
    fn cleaning() {
        let table: [(&[&[u8]], &str); 6] = [
            (&[b"plain\r\n"], "plain\n"),
            (&[b"\x1b[2J\x1b[01;01Hmenu"], "menu"),
            (&[b"a\x1b[", b"31mb"], "ab"),
            (&["gr\u{fc}n".as_bytes()], "gr\u{fc}n"),
            (&[b"gr\xc3", b"\xbcn"], "gr\u{fc}n"),
            (&[b"bad\xffbyte"], "bad\u{fffd}byte"),
        ];
        for (pieces, expected) in table {
            let (mut cleaner, mut text) = (Cleaner::default(), String::new());
            for piece in pieces {
                cleaner.push(piece, &mut text);
            }
            assert_eq!(text, expected, "{pieces:?}");
        }
    }

    #[test]
    fn waits_for_text_that_comes_in_pieces_and_returns_its_line() {
        let (console, mut vm) = pair();
        let writer = thread::spawn(move || {
            for piece in ["boot\nros: up", " in 13.1 s", "\n"] {
                vm.write_all(piece.as_bytes()).unwrap();
            }
            vm
        });
        let line = console
            .wait_line_after(Position::default(), "up", Deadline::secs(10))
            .unwrap();
        assert_eq!(line, "ros: up in 13.1 s");
        drop(writer.join());
    }

    #[test]
    fn a_mark_hides_what_came_before() {
        let (console, mut vm) = pair();
        vm.write_all(b"up\n").unwrap();
        console.wait_for("up\n", Deadline::secs(10)).unwrap();
        let mark = console.mark();
        let error = console
            .wait_for_after(mark, "up", Deadline::secs(0))
            .unwrap_err();
        assert!(error.to_string().contains("`up` on the console"), "{error}");
        vm.write_all(b"up again\n").unwrap();
        console
            .wait_for_after(mark, "up again", Deadline::secs(10))
            .unwrap();
    }

    #[test]
    fn the_end_of_the_machine_ends_the_wait() {
        let (console, vm) = pair();
        drop(vm);
        let error = console.wait_for("login:", Deadline::secs(60)).unwrap_err();
        assert!(error.to_string().contains("the machine ended"), "{error}");
    }

    #[test]
    fn typing_reaches_the_machine() {
        let (console, mut vm) = pair();
        console.type_line("id").unwrap();
        let mut buffer = [0; 3];
        vm.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"id\r");
    }
}
