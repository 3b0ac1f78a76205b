//! Probes of daemons over their sockets: whether a daemon answers, which a stopped or deadlocked daemon does not. Its
//! socket still takes connections then.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The limit for an answer.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Docker's own check of a daemon.
const PING: &[u8] = b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n";
const PONG: &[u8] = b"HTTP/1.";
/// The beginning of an HTTP/2 connection, as gRPC has it: the preface and empty settings (RFC 9113, section 3.4). The
/// server answers with its own settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The place of a frame's type, and the type of settings.
const FRAME_TYPE: usize = 3;
const SETTINGS: u8 = 4;

/// A daemon's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Dockerd,
    Containerd,
}

/// Probes daemons at the same time. Returns whether each has answered within [`PROBE_TIMEOUT`].
pub fn answers<const N: usize>(servers: [(Server, &'static str); N]) -> [bool; N] {
    answers_within(servers, PROBE_TIMEOUT)
}

fn answers_within<const N: usize>(
    servers: [(Server, &'static str); N],
    timeout: Duration,
) -> [bool; N] {
    let (sender, receiver) = mpsc::channel();
    for (number, (server, socket)) in servers.into_iter().enumerate() {
        let sender = sender.clone();
        // A connection to a daemon with a full queue waits without a limit: the thread is left behind then.
        let probe = move || {
            let is_answer = ask(server, socket, timeout).unwrap_or(false);
            let _ = sender.send((number, is_answer));
        };
        let _ = thread::Builder::new().spawn(probe);
    }
    drop(sender);
    let mut answers = [false; N];
    while let Ok((number, is_answer)) = receiver.recv_timeout(timeout) {
        if let Some(answer) = answers.get_mut(number) {
            *answer = is_answer;
        }
    }
    answers
}

fn ask(server: Server, socket: &str, timeout: Duration) -> std::io::Result<bool> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    stream.write_all(match server {
        Server::Dockerd => PING,
        Server::Containerd => PREFACE,
    })?;
    let mut start = [0; PONG.len()];
    stream.read_exact(&mut start)?;
    Ok(match server {
        Server::Dockerd => start == PONG,
        Server::Containerd => start.get(FRAME_TYPE) == Some(&SETTINGS),
    })
}

#[cfg(test)]
mod tests {
    use super::{Server, answers_within};
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    /// A socket whose daemon sends `answer`, or stays silent.
    fn socket(folder: &std::path::Path, name: &str, answer: Option<&'static [u8]>) -> &'static str {
        let path = folder.join(name);
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || {
            let Some(answer) = answer else {
                // It holds the socket and takes no connection, as a stopped daemon.
                std::thread::park();
                return drop(listener);
            };
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 64]);
                let _ = stream.write_all(answer);
            }
        });
        Box::leak(path.display().to_string().into_boxed_str())
    }

    #[test]
    fn only_a_daemon_that_answers_is_well() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, answer| socket(folder.path(), name, answer);
        let settings: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0";
        let servers = [
            (
                Server::Dockerd,
                at("docker", Some(b"HTTP/1.0 200 OK\r\n\r\nOK")),
            ),
            (Server::Containerd, at("containerd", Some(settings))),
            (Server::Dockerd, at("stopped", None)),
            (Server::Containerd, at("stopped-too", None)),
            (Server::Dockerd, at("ends", Some(b""))),
            (Server::Dockerd, "/nowhere"),
        ];
        assert_eq!(
            answers_within(servers, Duration::from_millis(500)),
            [true, true, false, false, false, false]
        );
    }
}
