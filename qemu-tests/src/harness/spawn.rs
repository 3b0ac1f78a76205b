//! Starts the programs that a test needs, so that they end with the test program, and runs host tools with their
//! output in the error, and finds the free ports that such programs listen on.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

type Job = (Command, Sender<std::io::Result<Child>>);

/// The thread that starts programs. The kernel sends the parent-death signal when the parent's thread ends. This
/// thread lives as long as the process; the thread of a test ends before the machine that it shares with the next test.
static STARTER: LazyLock<Mutex<Sender<Job>>> = LazyLock::new(|| {
    let (sender, receiver) = channel::<Job>();
    thread::spawn(move || {
        for (mut command, reply) in receiver {
            // The receiver has gone only if its test has failed already.
            reply.send(command.spawn()).ok();
        }
    });
    Mutex::new(sender)
});

/// Starts `program` with its output in the file `log`; the kernel kills it when this process ends.
pub fn start_background<S: AsRef<OsStr>>(program: &str, args: &[S], log: &Path) -> Result<Child> {
    let output = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let errors = output.try_clone().context("cloning a log file")?;
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", program])
        .args(args)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors);
    let (sender, receiver) = channel();
    STARTER
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, sender))
        .map_err(|_| anyhow!("the starter thread is gone"))?;
    receiver
        .recv()
        .context("asking the starter thread")?
        .with_context(|| format!("starting {program}"))
}

/// Runs a host tool to its end and returns its output.
pub fn run_tool<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Result<Vec<u8>> {
    run_tool_with_input(program, args, &[])
}

/// Runs a host tool with `input` on its standard input.
pub fn run_tool_with_input<S: AsRef<OsStr>>(
    program: &str,
    args: &[S],
    input: &[u8],
) -> Result<Vec<u8>> {
    let mut command = Command::new(program);
    command
        .args(args)
        .env("PATH", search_path())
        .stdin(Stdio::piped());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    let mut stdin = child
        .stdin
        .take()
        .context("taking a tool's standard input")?;
    let bytes = input.to_vec();
    let feeder = thread::spawn(move || stdin.write_all(&bytes));
    let output = child
        .wait_with_output()
        .with_context(|| format!("running {program}"))?;
    // A tool may leave a part of its input unread.
    drop(feeder.join());
    if !output.status.success() {
        let words: Vec<_> = args
            .iter()
            .map(|arg| arg.as_ref().to_string_lossy())
            .collect();
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "running {program} {}: {}: {}",
            words.join(" "),
            output.status,
            said.trim()
        );
    }
    Ok(output.stdout)
}

/// A port of the host's loopback that is free now, for a program to listen on.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("finding a free port")?;
    Ok(listener
        .local_addr()
        .context("reading a socket's address")?
        .port())
}

/// mkfs and sfdisk are in sbin, which is not on an ordinary user's path.
fn search_path() -> String {
    format!(
        "{}:/usr/sbin:/sbin",
        std::env::var("PATH").unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::{run_tool, run_tool_with_input};

    #[test]
    fn a_tool_gets_its_input_and_its_output_comes_back() {
        assert_eq!(run_tool_with_input("cat", &["-"], b"moo").unwrap(), b"moo");
    }

    #[test]
    fn a_failed_tool_is_quoted() {
        let error = run_tool("ls", &["/no/such/cow"]).unwrap_err().to_string();
        assert!(
            error.starts_with("running ls /no/such/cow: exit status"),
            "{error}"
        );
        assert!(error.contains("No such file"), "{error}");
    }
}
