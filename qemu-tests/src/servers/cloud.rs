//! A cloud's metadata service on the host's loopback, which a machine on the network
//! [`Metadata`](crate::harness::spec::Network::Metadata) reaches at 169.254.169.254.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::harness::wait::Deadline;

/// A received request.
#[derive(Debug, Clone)]
pub struct Request {
    /// GET, PUT, …
    pub method: String,
    /// The path and query.
    pub path: String,
    /// The headers by name, in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// Makes the answer to a request: a body, or `None` for 404.
type Responder = dyn Fn(&Request) -> Option<String> + Send + Sync;

/// A running service. It answers until it is told to be silent.
#[derive(Clone)]
pub struct Cloud {
    state: Arc<Mutex<State>>,
    /// Signalled after each request.
    asked: Arc<Condvar>,
    port: u16,
}

#[derive(Default)]
struct State {
    /// The responder below each path; `None` closes the connection. The longest path counts.
    routes: BTreeMap<String, Option<Arc<Responder>>>,
    requests: Vec<Request>,
    /// The requests whose connections were closed without an answer.
    unanswered: Vec<Request>,
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Cloud {
    /// A service on `port`, or on any free port for 0; it gives no answers until it has a responder.
    pub fn listen(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .with_context(|| format!("listening on port {port} (hint: port 80 needs root)"))?;
        let cloud = Self {
            state: Arc::default(),
            asked: Arc::default(),
            port: listener.local_addr().context("asking for the port")?.port(),
        };
        let server = cloud.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                thread::spawn(move || server.answer(&stream));
            }
        });
        Ok(cloud)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers all requests by `respond` from now on.
    pub fn respond_with(
        &self,
        respond: impl Fn(&Request) -> Option<String> + Send + Sync + 'static,
    ) {
        self.respond_below(&["/"], respond);
    }

    /// Closes all connections without an answer from now on.
    pub fn fall_silent(&self) {
        self.fall_silent_below(&["/"]);
    }

    /// Answers requests below these paths by `respond`, so that machines of several clouds share the service.
    pub fn respond_below(
        &self,
        paths: &[&str],
        respond: impl Fn(&Request) -> Option<String> + Send + Sync + 'static,
    ) {
        let respond: Arc<Responder> = Arc::new(respond);
        let mut state = self.state();
        for path in paths {
            state
                .routes
                .insert((*path).to_owned(), Some(Arc::clone(&respond)));
        }
    }

    /// Closes the connections of requests below these paths without an answer.
    pub fn fall_silent_below(&self, paths: &[&str]) {
        let mut state = self.state();
        for path in paths {
            state.routes.insert((*path).to_owned(), None);
        }
    }

    /// Waits for a request for `path`.
    pub fn wait_for(&self, path: &str, deadline: Deadline) -> Result<Request> {
        let mut state = self.state();
        loop {
            if let Some(found) = state.requests.iter().find(|request| request.path == path) {
                return Ok(found.clone());
            }
            let Some(left) = deadline.time_left() else {
                bail!("waited {:?} for a request for {path}", deadline.budget());
            };
            (state, _) = self
                .asked
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The answered requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The requests so far that got no answer.
    pub fn unanswered_requests(&self) -> Vec<Request> {
        self.state().unanswered.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request. A client that hangs up early is no error.
    fn answer(&self, mut stream: &TcpStream) {
        let Ok(request) = read(stream) else { return };
        let routes = self.state().routes.clone();
        let below = routes
            .iter()
            .filter(|(path, _)| request.path.starts_with(path.as_str()));
        let Some((_, Some(respond))) = below.max_by_key(|(path, _)| path.len()) else {
            return self.state().unanswered.push(request);
        };
        let answer = match respond(&request) {
            Some(body) => format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            ),
            None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_owned(),
        };
        self.state().requests.push(request);
        self.asked.notify_all();
        stream.write_all(answer.as_bytes()).ok();
    }
}

fn read(stream: &TcpStream) -> Result<Request> {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .context("setting the timeout")?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).context("reading a request")?;
    let mut words = line.split_ascii_whitespace().map(str::to_owned);
    let (method, path) = (words.next(), words.next());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).context("reading a header")?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or("0", String::as_str);
    let length: usize = length.parse().context("reading a length")?;
    ensure!(length < 1 << 20, "a body of {length} bytes");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).context("reading a body")?;
    Ok(Request {
        method: method.context("reading the method")?,
        path: path.context("reading the path")?,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::Cloud;
    use crate::servers::http;

    #[test]
    fn it_answers_as_told() {
        let cloud = Cloud::listen(0).unwrap();
        assert!(http::get(cloud.port(), "/a").is_err());
        cloud.respond_with(|request| (request.path == "/a").then(|| "moo".to_owned()));
        assert_eq!(http::get(cloud.port(), "/a").unwrap().body, b"moo");
        assert_eq!(http::get(cloud.port(), "/b").unwrap().status, 404);
        assert_eq!(cloud.requests().len(), 2);
        cloud.fall_silent();
        assert!(http::get(cloud.port(), "/a").is_err());
        assert_eq!(cloud.unanswered_requests().len(), 2);
    }
}
