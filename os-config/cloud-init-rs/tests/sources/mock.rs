//! A mock of a cloud's service on loopback. It answers by method and path.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// An answer to a request.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The time before the answer.
    pub(crate) delay: Duration,
    /// Bytes to send in place of an HTTP answer.
    pub(crate) raw: Option<Vec<u8>>,
}

impl Response {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
            delay: Duration::ZERO,
            raw: None,
        }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::ok("")
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A request to the mock.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Headers by lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    pub(crate) peer_port: u16,
}

/// A running mock, which ends with the test's process.
#[derive(Clone, Debug)]
pub(crate) struct Mock {
    pub(crate) root: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Mock {
    /// Starts a mock that calls `answer` for each request.
    pub(crate) fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let mock = Self {
            root,
            requests: Arc::clone(&requests),
        };
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, requests) = (Arc::clone(&answer), Arc::clone(&requests));
                thread::spawn(move || {
                    if let Some(request) = read(&stream) {
                        requests.lock().unwrap().push(request.clone());
                        write(&stream, &answer(&request));
                    }
                });
            }
        });
        mock
    }

    /// Starts a mock that answers GETs from a table of paths, and any other request with 404.
    pub(crate) fn table(entries: &[(&str, &str)]) -> Self {
        let entries: BTreeMap<String, String> = entries
            .iter()
            .map(|(path, body)| ((*path).to_owned(), (*body).to_owned()))
            .collect();
        Self::start(move |request| match entries.get(&request.path) {
            Some(body) if request.method == "GET" => Response::ok(body.clone()),
            _ => Response::status(404),
        })
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let peer_port = stream.peer_addr().ok()?.port();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_ascii_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|text| text.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        peer_port,
    })
}

/// Sends an answer; a client that has gone away is ignored.
fn write(mut stream: &TcpStream, answer: &Response) {
    thread::sleep(answer.delay);
    if let Some(raw) = &answer.raw {
        stream.write_all(raw).ok();
        return;
    }
    let mut head = format!(
        "HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok();
    stream.write_all(&answer.body).ok();
}
