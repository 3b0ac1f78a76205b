//! Requests to PID 1: a line over `/run/ros/init.sock`, answered by a line.
//!
//! `poweroff|reboot|kexec|halt [now|+MINUTES]` and `cancel`. Only root can open the socket.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::paths::CONTROL_SOCKET;

/// A client that connects and says nothing must not hold up PID 1.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(500);
const LONGEST_REQUEST: usize = 64;
/// The word that asks for [`Power::Kexec`].
pub const KEXEC: &str = "kexec";

/// How the machine goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    Off,
    Reboot,
    /// The kernel starts the kernel that `ros` has given it.
    Kexec,
    Halt,
}

impl Power {
    /// The word for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "power-off",
            Self::Reboot => "reboot",
            Self::Kexec => "reboot by kexec",
            Self::Halt => "halt",
        }
    }
}

/// A request to PID 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Down { power: Power, after: Duration },
    Cancel,
}

impl Request {
    /// Reads a request line.
    pub fn parse(line: &str) -> Result<Self> {
        let mut words = line.split_ascii_whitespace();
        let power = match words.next() {
            Some("poweroff") => Power::Off,
            Some("reboot") => Power::Reboot,
            Some(KEXEC) => Power::Kexec,
            Some("halt") => Power::Halt,
            Some("cancel") => return Ok(Self::Cancel),
            other => anyhow::bail!("unknown request {:?}", other.unwrap_or_default()),
        };
        let after = parse_delay(words.next().unwrap_or("now"))?;
        anyhow::ensure!(
            words.next().is_none(),
            "too many words in {:?}",
            line.trim_end()
        );
        Ok(Self::Down { power, after })
    }
}

/// `now`, or `+m` minutes as in shutdown(8); a bare number of minutes is accepted too.
pub fn parse_delay(text: &str) -> Result<Duration> {
    if text == "now" {
        return Ok(Duration::ZERO);
    }
    let minutes: u64 = text
        .strip_prefix('+')
        .unwrap_or(text)
        .parse()
        .ok()
        .filter(|minutes| *minutes <= 60 * 24 * 365)
        .with_context(|| format!("expected `now` or `+MINUTES`, found {text:?}"))?;
    Ok(Duration::from_secs(minutes * 60))
}

/// Opens the socket and replaces the socket of a former PID 1 of this boot.
pub fn listen() -> Result<UnixListener> {
    let _ = std::fs::remove_file(CONTROL_SOCKET);
    let listener = UnixListener::bind(CONTROL_SOCKET)
        .with_context(|| format!("listening on {CONTROL_SOCKET}"))?;
    std::fs::set_permissions(CONTROL_SOCKET, std::fs::Permissions::from_mode(0o600))
        .and_then(|()| listener.set_nonblocking(true))
        .with_context(|| format!("listening on {CONTROL_SOCKET}"))?;
    Ok(listener)
}

/// Takes a waiting request, if any, and answers it with the text that `act` returns.
pub fn serve_request(listener: &UnixListener, act: impl FnOnce(Request) -> String) {
    let Ok((mut stream, _)) = listener.accept() else {
        return;
    };
    let answer = match read_line(&mut stream).and_then(|line| Request::parse(&line)) {
        Ok(request) => format!("ok: {}\n", act(request)),
        Err(error) => format!("error: {error:#}\n"),
    };
    // The request of a client that has gone away is carried out too.
    let _ = stream.write_all(answer.as_bytes());
}

fn read_line(stream: &mut UnixStream) -> Result<String> {
    stream
        .set_read_timeout(Some(REQUEST_TIMEOUT))
        .context("reading a request")?;
    stream
        .set_write_timeout(Some(REQUEST_TIMEOUT))
        .context("reading a request")?;
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < LONGEST_REQUEST {
        match stream.read(&mut byte).context("reading a request")? {
            0 => break,
            _ if byte == *b"\n" => break,
            _ => line.extend(byte),
        }
    }
    String::from_utf8(line).context("reading a request that is not text")
}

/// Sends one request line to PID 1 and returns its answer.
pub fn ask(line: &str) -> Result<String> {
    let mut stream = UnixStream::connect(CONTROL_SOCKET)
        .with_context(|| format!("connecting to PID 1 on {CONTROL_SOCKET} (are you root?)"))?;
    stream
        .write_all(format!("{line}\n").as_bytes())
        .context("asking PID 1")?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .context("reading PID 1's answer")?;
    match answer.trim_end().split_once(": ") {
        Some(("ok", text)) => Ok(text.to_owned()),
        Some(("error", text)) => anyhow::bail!("{text}"),
        _ => anyhow::bail!("PID 1 closed the connection without an answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Power, Request};
    use std::time::Duration;

    #[test]
    fn requests() {
        let down = |power, minutes: u64| {
            Some(Request::Down {
                power,
                after: Duration::from_secs(minutes * 60),
            })
        };
        for (line, expected) in [
            ("poweroff", down(Power::Off, 0)),
            ("reboot now", down(Power::Reboot, 0)),
            ("kexec now", down(Power::Kexec, 0)),
            ("halt +5\n", down(Power::Halt, 5)),
            ("poweroff 3", down(Power::Off, 3)),
            ("cancel", Some(Request::Cancel)),
            ("", None),
            ("poweroff -1", None),
            ("poweroff +99999999999999999999", None),
            ("poweroff now please", None),
            ("explode", None),
        ] {
            assert_eq!(Request::parse(line).ok(), expected, "{line:?}");
        }
    }
}
