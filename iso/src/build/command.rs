//! Host commands: their output goes to the step's log, and an error quotes the command and the end
//! of its output.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// An error quotes this many lines from the end of a command's output.
const TAIL_LINES: usize = 25;

/// Builds an argument list from words, paths and strings.
macro_rules! argv {
    ($($word:expr),* $(,)?) => { Vec::from([$(std::ffi::OsString::from($word)),*]) };
}
pub(crate) use argv;

/// The log file of one step.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    path: PathBuf,
}

impl Log {
    /// Starts an empty log at `path`.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        File::create(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self { path })
    }

    fn append(&self) -> Result<File> {
        OpenOptions::new()
            .append(true)
            .open(&self.path)
            .with_context(|| format!("opening {}", self.path.display()))
    }

    fn tail(&self) -> String {
        let bytes = fs::read(&self.path).unwrap_or_default();
        last_lines(&String::from_utf8_lossy(&bytes), TAIL_LINES)
    }

    /// Runs `argv` to its end; its output goes to the log.
    pub(crate) fn run(&self, argv: &[OsString]) -> Result<()> {
        let mut log = self.append()?;
        writeln!(log, "+ {}", display(argv)).context("writing the log")?;
        let status = command(argv)?
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("sharing the log")?)
            .stderr(log)
            .status()
            .with_context(|| format!("starting {}", display(argv)))?;
        if !status.success() {
            bail!(
                "running {}: {status}\n--- end of {}\n{}",
                display(argv),
                self.path.display(),
                self.tail()
            );
        }
        Ok(())
    }

    /// Runs `argv` and returns its standard output; standard error goes to the log.
    pub(crate) fn output(&self, argv: &[OsString]) -> Result<String> {
        let mut log = self.append()?;
        writeln!(log, "+ {}", display(argv)).context("writing the log")?;
        let output = command(argv)?
            .stdin(Stdio::null())
            .stderr(log)
            .output()
            .with_context(|| format!("starting {}", display(argv)))?;
        if !output.status.success() {
            bail!(
                "running {}: {}\n--- end of {}\n{}",
                display(argv),
                output.status,
                self.path.display(),
                self.tail()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Runs `argv` without a log and returns its standard output; `None` if it does not start or fails.
pub(crate) fn try_output(argv: &[OsString]) -> Option<String> {
    let output = command(argv)
        .ok()?
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn command(argv: &[OsString]) -> Result<Command> {
    let (program, arguments) = argv.split_first().context("running an empty command")?;
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C.UTF-8");
    Ok(command)
}

/// `argv` as a user types it in a shell, cut at 600 characters.
fn display(argv: &[OsString]) -> String {
    let words: Vec<String> = argv.iter().map(|word| quote(word)).collect();
    let text = words.join(" ");
    match text.char_indices().nth(600) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

/// `word` for a shell.
pub(crate) fn quote(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {

    use super::{Log, display, last_lines};

    #[test]
    fn commands_are_shown_as_typed() {
        let cases = [
            (argv!["ls", "-l", "/tmp"], "ls -l /tmp"),
            (argv!["sh", "-c", "echo it's"], r"sh -c 'echo it'\''s'"),
            (argv!["true", ""], "true ''"),
        ];
        for (argv, expected) in cases {
            assert_eq!(display(&argv), expected);
        }
    }

    #[test]
    fn the_tail_is_the_last_lines() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("", 2), "");
    }

    #[test]
    fn a_failing_command_is_quoted_with_its_output() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let log = Log::create(folder.join("step.log")).unwrap();
        let error = log
            .run(&argv!["sh", "-c", "echo because; exit 3"])
            .unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("sh -c 'echo because; exit 3'"), "{text}");
        assert!(
            text.contains("exit status: 3") && text.contains("\nbecause"),
            "{text}"
        );
    }
}
