//! Running Debian's own tools until they end.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// Runs a tool with a text on its standard input. Returns its standard error if it fails, and `None` if it succeeds.
pub(crate) fn failure(
    program: &str,
    arguments: &[&str],
    input: Option<&str>,
) -> Result<Option<String>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    if let (Some(mut to), Some(text)) = (child.stdin.take(), input) {
        match to.write_all(text.as_bytes()) {
            // A tool that ends without reading its input says why on standard error.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                return Err(error).with_context(|| format!("handing {program} its input"));
            }
            _ => {}
        }
    }
    let output = child
        .wait_with_output()
        .with_context(|| format!("waiting for {program}"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok((!output.status.success()).then_some(said))
}

/// Runs a tool with a text on its standard input. The error is the last line of the tool's message.
pub(crate) fn run(program: &str, arguments: &[&str], input: Option<&str>) -> Result<()> {
    match failure(program, arguments, input)? {
        Some(said) => anyhow::bail!("{program}: {}", last_line(&said)),
        None => Ok(()),
    }
}

/// Starts each program with its argument, only to see that it can be started.
pub(crate) fn try_all(programs: &[[&str; 2]]) -> Result<()> {
    for [program, argument] in programs {
        run(program, &[argument], None)?;
    }
    Ok(())
}

/// The last line of an error message, which gives the cause.
pub(crate) fn last_line(said: &str) -> &str {
    said.lines().last().unwrap_or("it gives no reason")
}

#[cfg(test)]
mod tests {
    use super::{failure, last_line};

    #[test]
    fn a_failed_tool_gives_its_message() {
        let sh = |script: &str, input| failure("sh", &["-c", script], input);
        assert_eq!(sh("cat", Some("x")).unwrap(), None);
        assert_eq!(sh("read a; [ \"$a\" = moo ]", Some("moo\n")).unwrap(), None);
        let said = sh("echo one >&2; echo two >&2; exit 1", None)
            .unwrap()
            .unwrap();
        assert_eq!((said.as_str(), last_line(&said)), ("one\ntwo", "two"));
        assert_eq!(
            last_line(&sh("exit 3", None).unwrap().unwrap()),
            "it gives no reason"
        );
        // More than a pipe holds, to a tool that does not read it.
        let much = "x".repeat(1 << 20);
        assert!(sh("echo no >&2; exit 1", Some(&much)).unwrap().is_some());
        assert!(failure("/nonexistent", &[], None).is_err());
    }
}
