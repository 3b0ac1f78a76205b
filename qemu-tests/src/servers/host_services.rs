//! A DNS server and a web server on the host's loopback, which machines reach as 10.0.2.2. Tests ask these servers
//! instead of the real network.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::thread;

use anyhow::{Context, Result};

use crate::harness::wait::{Deadline, retry};

/// The only name that the DNS server knows. Its address is the host's, as machines see it.
pub const DNS_NAME: &str = "outside.test";

/// The web server's answer to every request.
pub const WEB_PAGE: &str = "the outside world\n";

/// Starts the web server and returns its port.
pub fn start_web() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("binding the web server")?;
    let port = listener
        .local_addr()
        .context("reading the web server's address")?
        .port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 1024];
            let answer = format!(
                "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{WEB_PAGE}",
                WEB_PAGE.len()
            );
            // A client that hangs up early is no error.
            if stream.read(&mut request).is_ok() {
                stream.write_all(answer.as_bytes()).ok();
            }
        }
    });
    Ok(port)
}

/// Starts the DNS server. Resolvers only know port 53, so this needs root and waits while another test has the port.
pub fn start_dns() -> Result<()> {
    let pause = || {
        thread::park_timeout(std::time::Duration::from_millis(200));
        Ok(())
    };
    let socket = retry(
        "port 53 of the host's loopback",
        Deadline::secs(120),
        pause,
        || {
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 53))
                .context("binding the DNS server (hint: needs root)")
        },
    )?;
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((count, client)) = socket.recv_from(&mut query) {
            if let Some(answer) = dns_answer(&query[..count]) {
                // A resolver repeats its query if an answer is lost.
                socket.send_to(&answer, client).ok();
            }
        }
    });
    Ok(())
}

/// The answer to one query: an address for [`DNS_NAME`], no record for its other types, "no such name" for other
/// names.
fn dns_answer(query: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let question = query.get(HEADER..)?;
    let mut name = String::new();
    let mut at = 0;
    loop {
        let length = usize::from(*question.get(at)?);
        let label = question.get(at + 1..at + 1 + length)?;
        at += 1 + length;
        if length == 0 {
            break;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
    }
    let kind = question.get(at..at + 2)?;
    let question = question.get(..at + 4)?;
    let is_known = name == DNS_NAME;
    let has_address = is_known && kind == [0, 1];
    let mut answer = query.get(..2)?.to_vec();
    let code = if is_known { 0x80 } else { 0x83 };
    answer.extend([0x85, code, 0, 1, 0, u8::from(has_address), 0, 0, 0, 0]);
    answer.extend(question);
    if has_address {
        // The name by reference, type A, class IN, 60 s, four bytes.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 2, 2]);
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::{WEB_PAGE, dns_answer, start_web};

    fn query(name: &str, kind: u8) -> Vec<u8> {
        let mut bytes = vec![7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            bytes.push(u8::try_from(label.len()).unwrap());
            bytes.extend(label.as_bytes());
        }
        bytes.extend([0, 0, kind, 0, 1]);
        bytes
    }

    #[test]
    fn answers() {
        let table = [
            ("outside.test", 1, 0x80, true),
            ("OUTSIDE.test", 1, 0x80, true),
            ("outside.test", 28, 0x80, false),
            ("x.test", 1, 0x83, false),
        ];
        for (name, kind, code, has_address) in table {
            let answer = dns_answer(&query(name, kind)).unwrap();
            assert_eq!(&answer[..2], [7, 9], "{name}");
            assert_eq!(answer[3], code, "{name}");
            assert_eq!(
                answer.ends_with(&[10, 0, 2, 2]),
                has_address,
                "{name} {kind}"
            );
        }
    }

    #[test]
    fn garbage_is_not_answered() {
        for garbage in [
            &[][..],
            &[0; 12],
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 63, 1],
        ] {
            assert_eq!(dns_answer(garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn the_web_server_serves_its_page() {
        let port = start_web().unwrap();
        assert_eq!(
            crate::servers::http::get(port, "/").unwrap().body,
            WEB_PAGE.as_bytes()
        );
    }
}
