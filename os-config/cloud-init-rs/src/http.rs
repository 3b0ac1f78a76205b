//! An HTTP client for a booting machine: it repeats a request to a service that is not up yet, within one
//! deadline for all requests together, and bounds the size of answers and the number of redirects.

use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Error, Proxy, RequestBuilder};

use crate::size_limit::SIZE_LIMIT;

/// The longest time for a single answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The least time for an answer, even to a request that begins after the deadline.
const MIN_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const MOST_REDIRECTS: u32 = 5;
/// The bundle of Debian's package ca-certificates.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Why a request has no answer.
#[derive(Debug, Error)]
pub enum HttpError {
    #[error("{0:?} is no http:// or https:// address")]
    Scheme(String),
    #[error("{url} answers {status}")]
    Status { url: String, status: u16 },
    #[error("{url}: the answer is larger than 16 MB")]
    TooLarge { url: String },
    #[error("{url}: it redirects more than {MOST_REDIRECTS} times")]
    Redirects { url: String },
    #[error("{url}: {reason}")]
    NoAnswer { url: String, reason: String },
}

/// A client that repeats requests until its deadline.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    deadline: Instant,
}

/// Names and values of headers.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

impl Client {
    /// A client whose requests all end within `timeout`. It uses no proxy: services of a cloud are reached
    /// directly.
    pub fn new(timeout: Duration) -> Self {
        Self::with_proxy(timeout, None)
    }

    /// A client that uses a proxy; a proxy's address that cannot be parsed is ignored.
    pub fn with_proxy(timeout: Duration, proxy: Option<&str>) -> Self {
        Self::build(timeout, proxy, &system_certificates())
    }

    fn build(timeout: Duration, proxy: Option<&str>, authorities: &[Certificate<'static>]) -> Self {
        let provider = rustls::crypto::ring::default_provider();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(provider))
            .root_certs(RootCerts::new_with_certs(authorities))
            .build();
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .max_redirects(MOST_REDIRECTS)
            .max_redirects_will_error(true)
            .http_status_as_error(false)
            .proxy(proxy.and_then(|proxy| Proxy::new(proxy).ok()))
            .tls_config(tls)
            .user_agent("PaddockOS")
            .build();
        Self {
            agent: config.new_agent(),
            deadline: Instant::now() + timeout,
        }
    }

    /// The same client with a deadline that is at most `timeout` away.
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            agent: self.agent.clone(),
            deadline: self.deadline.min(Instant::now() + timeout),
        }
    }

    /// The time at which all requests end.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Sends a GET and returns the body, byte for byte; `None` for 404 and 410.
    ///
    /// A request that gets no answer, 408, 429 or 5xx is repeated after pauses that double from 0.1 to 5 s.
    /// Any other refusal is an error at once. From https:// no redirect leads to http://.
    pub fn get(&self, url: &str, headers: Headers<'_>) -> Result<Option<Vec<u8>>, HttpError> {
        self.ask(url, |timeout, is_https| {
            let request = with_headers(self.agent.get(url), headers);
            let request = request
                .config()
                .https_only(is_https)
                .timeout_global(Some(timeout))
                .build();
            request.call()
        })
    }

    /// Sends a PUT without a body; otherwise as [`Client::get`].
    pub fn put(&self, url: &str, headers: Headers<'_>) -> Result<Option<Vec<u8>>, HttpError> {
        self.ask(url, |timeout, is_https| {
            let request = with_headers(self.agent.put(url), headers);
            let request = request
                .config()
                .https_only(is_https)
                .timeout_global(Some(timeout))
                .build();
            request.send_empty()
        })
    }

    /// Sends a POST; otherwise as [`Client::get`].
    pub fn post(
        &self,
        url: &str,
        headers: Headers<'_>,
        body: &str,
    ) -> Result<Option<Vec<u8>>, HttpError> {
        self.ask(url, |timeout, is_https| {
            let request = with_headers(self.agent.post(url), headers);
            let request = request
                .config()
                .https_only(is_https)
                .timeout_global(Some(timeout))
                .build();
            request.send(body)
        })
    }

    fn ask(
        &self,
        url: &str,
        mut call: impl FnMut(Duration, bool) -> Result<Response<Body>, Error>,
    ) -> Result<Option<Vec<u8>>, HttpError> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(HttpError::Scheme(url.to_owned()));
        }
        let is_https = url.starts_with("https://");
        let mut pause = FIRST_PAUSE;
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            let timeout = left.clamp(MIN_ANSWER_TIMEOUT, ANSWER_TIMEOUT);
            let failed = match classify(url, call(timeout, is_https)) {
                Attempt::Final(outcome) => return outcome,
                Attempt::Retry(failed) => failed,
            };
            if Instant::now() + pause >= self.deadline {
                return Err(failed);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

enum Attempt {
    Final(Result<Option<Vec<u8>>, HttpError>),
    Retry(HttpError),
}

fn with_headers<B>(request: RequestBuilder<B>, headers: Headers<'_>) -> RequestBuilder<B> {
    headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    })
}

fn classify(url: &str, answer: Result<Response<Body>, Error>) -> Attempt {
    let read = answer.and_then(|mut answer| {
        let status = answer.status().as_u16();
        let body = answer
            .body_mut()
            .with_config()
            .limit(SIZE_LIMIT)
            .read_to_vec()?;
        Ok((status, body))
    });
    let url = || url.to_owned();
    match read {
        Ok((200..=299, body)) => Attempt::Final(Ok(Some(body))),
        Ok((404 | 410, _)) => Attempt::Final(Ok(None)),
        Ok((status @ (408 | 429 | 500..), _)) => {
            Attempt::Retry(HttpError::Status { url: url(), status })
        }
        Ok((status, _)) => Attempt::Final(Err(HttpError::Status { url: url(), status })),
        Err(Error::BodyExceedsLimit(_)) => Attempt::Final(Err(HttpError::TooLarge { url: url() })),
        Err(Error::TooManyRedirects | Error::RedirectFailed) => {
            Attempt::Final(Err(HttpError::Redirects { url: url() }))
        }
        Err(error @ (Error::BadUri(_) | Error::Http(_) | Error::RequireHttpsOnly(_))) => {
            Attempt::Final(Err(HttpError::NoAnswer {
                url: url(),
                reason: error.to_string(),
            }))
        }
        Err(error) => Attempt::Retry(HttpError::NoAnswer {
            url: url(),
            reason: error.to_string(),
        }),
    }
}

/// The system's certificates, with the certificates of a company's own authority.
fn system_certificates() -> Vec<Certificate<'static>> {
    let bundle = std::fs::read(CA_BUNDLE).unwrap_or_default();
    parse_pem(&bundle)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Client, HttpError};
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{ServerConfig, ServerConnection, Stream};
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;
    use ureq::tls::Certificate;

    /// A server with a certificate of an authority of its own, which redirects `/plain` to `target` and answers every other
    /// request. Returns its address and the authority.
    fn start_https(target: String) -> (String, Certificate<'static>) {
        let mut of_authority = CertificateParams::default();
        of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(of_authority, KeyPair::generate().unwrap());
        let authority = authority.unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            );
        let config = Arc::new(config.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for mut tcp in listener.incoming().flatten() {
                let mut tls = ServerConnection::new(config.clone()).unwrap();
                let mut stream = Stream::new(&mut tls, &mut tcp);
                let mut request = String::new();
                let mut reader = BufReader::new(&mut stream);
                // A client that does not trust the certificate goes away.
                while reader.read_line(&mut request).is_ok_and(|read| read > 2) {}
                let head = match request.starts_with("GET /plain ") {
                    true => format!("302 Found\r\nLocation: {target}"),
                    false => "200 OK".to_owned(),
                };
                let answer = format!(
                    "HTTP/1.1 {head}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsafe"
                );
                let _ = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        let authority = Certificate::from_der(authority.der()).to_owned();
        (format!("https://localhost:{port}"), authority)
    }

    #[test]
    fn a_redirect_from_https_to_http_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = format!("http://{}/", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nopen");
            }
        });
        let (server, authority) = start_https(target.clone());
        let client = Client::build(Duration::from_secs(10), None, &[authority]);
        let get = |path: &str| client.get(&format!("{server}{path}"), &[]);
        assert_eq!(get("/").unwrap().as_deref(), Some(&b"safe"[..]));
        let error = get("/plain").unwrap_err();
        assert!(matches!(error, HttpError::NoAnswer { .. }), "{error}");
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        // The same client takes an address without TLS where it is asked for.
        assert_eq!(
            client.get(&target, &[]).unwrap().as_deref(),
            Some(&b"open"[..])
        );
    }

    #[test]
    fn a_certificate_of_an_unknown_authority_is_refused() {
        let (server, _) = start_https(String::new());
        let client = Client::new(Duration::from_millis(500));
        assert!(client.get(&server, &[]).is_err());
    }
}
