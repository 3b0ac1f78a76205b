//! A TFTP client (RFC 1350) that reads one small file.
//!
//! Written by hand: `tftp_client` keeps a repeated block twice, has no limit of size or time for a whole file and panics
//! on a message that is not UTF-8; the other crates are servers.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use crate::size_limit::SIZE_LIMIT;

const PORT: u16 = 69;
const BLOCK: usize = 512;
const RESEND_INTERVAL: Duration = Duration::from_secs(1);

/// A file on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl Location {
    /// Reads `host[:port]/path`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('/');
        let (server, path) = text.split_once('/')?;
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (server, PORT),
        };
        let fits = !host.is_empty() && !path.is_empty() && path.len() < 256 && !path.contains('\0');
        fits.then(|| Self {
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.host, self.port, self.path)
    }
}

/// Reads the file; `None` if the server does not have it. Repeats the request every second until `deadline`.
pub(crate) fn get(location: &Location, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
    let server = resolve(location)?;
    let local = if server.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(local)?;
    socket.set_read_timeout(Some(RESEND_INTERVAL))?;
    let mut transfer = Transfer {
        socket,
        peer: None,
        content: Vec::new(),
        next: 1,
    };
    let mut last = request(&location.path);
    transfer.socket.send_to(&last, server)?;
    loop {
        if Instant::now() >= deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"));
        }
        match transfer.receive(server)? {
            Received::Nothing => drop(transfer.send(&last, server)),
            Received::Ignored => {}
            Received::NotThere => return Ok(None),
            Received::Block { is_last } => {
                last = acknowledgement(transfer.next);
                transfer.send(&last, server)?;
                if is_last {
                    return Ok(Some(transfer.content));
                }
                transfer.next = transfer.next.wrapping_add(1);
            }
        }
    }
}

fn resolve(location: &Location) -> io::Result<SocketAddr> {
    let mut addresses = (location.host.as_str(), location.port).to_socket_addrs()?;
    addresses
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the server has no address"))
}

fn request(path: &str) -> Vec<u8> {
    [&[0, 1], path.as_bytes(), b"\0octet\0"].concat()
}

fn acknowledgement(block: u16) -> Vec<u8> {
    [&[0, 4], &block.to_be_bytes()[..]].concat()
}

struct Transfer {
    socket: UdpSocket,
    /// The server answers from a new port.
    peer: Option<SocketAddr>,
    content: Vec<u8>,
    next: u16,
}

enum Received {
    Nothing,
    Ignored,
    NotThere,
    Block { is_last: bool },
}

impl Transfer {
    fn send(&self, bytes: &[u8], server: SocketAddr) -> io::Result<()> {
        let to = self.peer.unwrap_or(server);
        self.socket.send_to(bytes, to).map(drop)
    }

    fn receive(&mut self, server: SocketAddr) -> io::Result<Received> {
        let mut packet = [0; BLOCK + 4];
        let (length, from) = match self.socket.recv_from(&mut packet) {
            Ok(received) => received,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                return Ok(Received::Nothing);
            }
            // The host of a server that is not up yet refuses, and the kernel reports the refusal here.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Ok(Received::Ignored);
            }
            Err(error) => return Err(error),
        };
        if from.ip() != server.ip() || self.peer.is_some_and(|peer| peer != from) {
            return Ok(Received::Ignored);
        }
        match packet.get(..length).unwrap_or_default() {
            [0, 3, high, low, data @ ..] if [*high, *low] == self.next.to_be_bytes() => {
                self.peer = Some(from);
                self.content.extend_from_slice(data);
                if self.content.len() as u64 > SIZE_LIMIT {
                    return Err(io::Error::other("the file is larger than 16 MB"));
                }
                Ok(Received::Block {
                    is_last: data.len() < BLOCK,
                })
            }
            [0, 5, 0, 1, ..] => Ok(Received::NotThere),
            [0, 5, _, code, text @ ..] => {
                let text = String::from_utf8_lossy(text);
                let text = text.trim_end_matches('\0');
                Err(io::Error::other(format!("error {code}: {text}")))
            }
            _ => Ok(Received::Ignored),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Location, get};
    use std::net::UdpSocket;
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn locations() {
        for (id, text, expected) in [
            (
                "DS-23",
                "127.0.0.1/test/file.yaml",
                Some("127.0.0.1:69/test/file.yaml"),
            ),
            ("", "//host:1069/a", Some("host:1069/a")),
            ("", "host", None),
            ("", "host/", None),
            ("", "/a", None),
            ("", "host:x/a", None),
        ] {
            let location = Location::parse(text).map(|location| location.to_string());
            assert_eq!(location.as_deref(), expected, "{id} {text}");
        }
    }

    /// A server that has `content` under `/a`, answers from a new port and loses one packet.
    fn serve(content: Vec<u8>) -> u16 {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        thread::spawn(move || {
            let mut packet = [0; 600];
            let (length, client) = socket.recv_from(&mut packet).unwrap();
            let own = UdpSocket::bind("127.0.0.1:0").unwrap();
            own.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            if &packet[..length] != b"\0\x01a\0octet\0" {
                own.send_to(b"\0\x05\0\x01not here\0", client).unwrap();
                return;
            }
            let mut chunks: Vec<&[u8]> = content.chunks(512).collect();
            if content.len().is_multiple_of(512) {
                chunks.push(&[]);
            }
            for (index, chunk) in chunks.iter().enumerate() {
                let number = u16::try_from(index + 1).unwrap();
                let block = [&[0, 3], &number.to_be_bytes()[..], chunk].concat();
                // A repeated acknowledgement of the previous block is skipped.
                own.send_to(&block, client).unwrap();
                loop {
                    let (length, _) = own.recv_from(&mut packet).unwrap();
                    if packet[..length] == [&[0, 4], &number.to_be_bytes()[..]].concat()[..] {
                        break;
                    }
                }
            }
        });
        port
    }

    #[test]
    fn files_of_every_length() {
        for length in [0, 5, 511, 512, 513, 2000] {
            let content: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let location = Location {
                host: "127.0.0.1".into(),
                port: serve(content.clone()),
                path: "a".into(),
            };
            let deadline = Instant::now() + Duration::from_secs(20);
            assert_eq!(
                get(&location, deadline).unwrap(),
                Some(content),
                "DS-24 {length}"
            );
        }
    }

    #[test]
    fn a_missing_file_and_a_silent_server() {
        let mut location = Location {
            host: "127.0.0.1".into(),
            port: serve(Vec::new()),
            path: "does-not-exist".into(),
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        assert_eq!(get(&location, deadline).unwrap(), None, "DS-24");
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        location.port = silent.local_addr().unwrap().port();
        let began = Instant::now();
        assert!(get(&location, began + Duration::from_secs(1)).is_err());
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
