//! The HTTP client against services that misbehave.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::mock::{Mock, Response};
use cloud_init_rs::Client;

fn client() -> Client {
    Client::new(Duration::from_secs(10))
}

#[test]
fn a_service_that_fails_at_first_is_asked_again() {
    for failures in 0..3 {
        let count = AtomicUsize::new(0);
        let mock = Mock::start(move |_| {
            if count.fetch_add(1, Ordering::SeqCst) < failures {
                Response::status(500)
            } else {
                Response::ok("test\u{0}\r\n")
            }
        });
        let body = client().get(&mock.root, &[]).unwrap();
        assert_eq!(body.as_deref(), Some(&b"test\0\r\n"[..]), "HC-02 HC-04");
        assert_eq!(mock.requests().len(), failures + 1, "HC-02");
    }
}

#[test]
fn refusals_are_final() {
    let mock = Mock::table(&[]);
    assert_eq!(client().get(&mock.root, &[]).unwrap(), None, "HC-03");
    assert_eq!(mock.requests().len(), 1, "HC-03");
    let mock = Mock::start(|_| Response::status(401));
    let error = client().get(&mock.root, &[]).unwrap_err().to_string();
    assert!(error.ends_with("answers 401"), "{error}");
    assert_eq!(mock.requests().len(), 1);
}

#[test]
fn invalid_addresses() {
    for url in ["boo", "mailto://boo", "ftp://boo", ""] {
        let error = client().get(url, &[]).unwrap_err().to_string();
        assert!(error.contains("is no http:// or https://"), "HC-05 {error}");
    }
    for url in ["http://", "http://[", "http://a b/"] {
        let began = Instant::now();
        assert!(client().get(url, &[]).is_err(), "{url}");
        assert!(began.elapsed() < Duration::from_secs(5), "{url}");
    }
}

#[test]
fn redirects_are_followed_and_do_not_go_in_circles() {
    let mock = Mock::start(|request| match request.path.as_str() {
        "/a" => Response::status(302).header("Location", "/b"),
        "/b" => Response::ok("there"),
        _ => Response::status(301).header("Location", "/loop"),
    });
    let get = |path: &str| client().get(&format!("{}{path}", mock.root), &[]);
    assert_eq!(get("/a").unwrap().as_deref(), Some(&b"there"[..]));
    let error = get("/loop").unwrap_err().to_string();
    assert!(error.contains("redirects more than"), "{error}");
}

#[test]
fn a_body_is_bounded() {
    let mock = Mock::start(|_| Response::ok(vec![b'x'; 100 << 20]));
    let error = client().get(&mock.root, &[]).unwrap_err().to_string();
    assert!(error.contains("larger than 16 MB"), "{error}");
    assert_eq!(mock.requests().len(), 1);
}

#[test]
fn a_missing_service_is_an_error_at_the_deadline() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port();
    let began = Instant::now();
    let answer =
        Client::new(Duration::from_millis(700)).get(&format!("http://127.0.0.1:{port}/"), &[]);
    assert!(answer.is_err());
    let took = began.elapsed();
    assert!(took > Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_service_without_tls_is_no_https() {
    let mock = Mock::start(|_| Response::ok("plain"));
    let url = mock.root.replace("http://", "https://");
    let http = Client::new(Duration::from_millis(500));
    let error = http.get(&url, &[]).unwrap_err().to_string();
    assert!(error.starts_with(&url), "{error}");
}
