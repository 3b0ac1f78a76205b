//! The part of an HTTP client that tests need: one request and one answer, unencrypted, over the loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// A server's answer.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header lines.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A header's value; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A request to a server on the host's loopback.
#[derive(Debug)]
pub struct Request<'a> {
    /// GET, PUT, …
    pub method: &'a str,
    /// The path and query.
    pub path: &'a str,
    /// The type of the body.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Fetches `path` from `port`.
pub fn get(port: u16, path: &str) -> Result<Response> {
    send(
        port,
        &Request {
            method: "GET",
            path,
            content_type: "text/plain",
            body: &[],
        },
    )
}

/// Sends one request to `port` and reads the answer.
pub fn send(port: u16, request: &Request<'_>) -> Result<Response> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let timeout = Duration::from_secs(30);
    let mut stream = TcpStream::connect_timeout(&address, timeout)
        .with_context(|| format!("connecting to port {port}"))?;
    stream
        .set_read_timeout(Some(timeout))
        .context("setting the read timeout")?;
    let head = format!(
        "{} {} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        request.method,
        request.path,
        request.content_type,
        request.body.len()
    );
    stream
        .write_all(head.as_bytes())
        .context("sending a request")?;
    stream
        .write_all(request.body)
        .context("sending a request's body")?;
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .with_context(|| format!("reading the answer of port {port}"))?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Response> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        bail!("no HTTP answer, but {:?}", String::from_utf8_lossy(bytes));
    };
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|word| word.parse().ok())
        .with_context(|| format!("reading the status of {head:?}"))?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Response {
        status,
        headers,
        body: bytes[end + 4..].to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn answers() {
        let answer =
            parse(b"HTTP/1.0 202 Accepted\r\nLocation: http://x/y\r\nA: b: c\r\n\r\nbody").unwrap();
        assert_eq!(answer.status, 202);
        assert_eq!(answer.header("location"), Some("http://x/y"));
        assert_eq!(answer.header("a"), Some("b: c"));
        assert_eq!(answer.body, b"body");
        assert!(parse(b"").is_err());
        assert!(parse(b"HTTP/1.0 moo\r\n\r\n").is_err());
    }
}
