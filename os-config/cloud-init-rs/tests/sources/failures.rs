//! Every source over HTTP against services that fail.

use std::time::Duration;

use crate::mock::{Mock, Response};
use crate::query::{ask, ask_within};

/// The sources that use HTTP.
const OVER_HTTP: [&str; 14] = [
    "ec2",
    "gce",
    "azure",
    "digitalocean",
    "hetzner",
    "vultr",
    "scaleway",
    "exoscale",
    "aliyun",
    "oracle",
    "packet",
    "openstack",
    "cloudstack",
    "nocloud-net",
];

#[test]
fn a_service_that_knows_nothing_is_no_data_source() {
    for name in OVER_HTTP {
        let found = ask(name, &Mock::table(&[]).root);
        assert_eq!(found.unwrap(), None, "{name}");
    }
}

#[test]
fn a_service_that_fails_is_an_error_within_the_time_given() {
    type Failure = (&'static str, fn() -> Response);
    let failures: [Failure; 6] = [
        ("redirects", || {
            Response::status(302).header("Location", "/loop")
        }),
        ("large", || Response::ok(vec![b'x'; 17 << 20])),
        ("500", || Response::status(500)),
        ("slow", || Response {
            delay: Duration::from_secs(60),
            ..Response::ok("")
        }),
        ("garbage", || Response {
            raw: Some(b"\x00\xffgarbage\r\n\r\n".to_vec()),
            ..Response::ok("")
        }),
        ("nothing", || Response {
            raw: Some(Vec::new()),
            ..Response::ok("")
        }),
    ];
    std::thread::scope(|scope| {
        for name in OVER_HTTP {
            for (failure, answer) in failures {
                scope.spawn(move || {
                    let mock = Mock::start(move |_| answer());
                    let began = std::time::Instant::now();
                    let found = ask_within(name, &mock.root, Duration::from_millis(500));
                    assert!(found.is_err(), "{name} {failure}: {found:?}");
                    let took = began.elapsed();
                    assert!(took < Duration::from_secs(8), "{name} {failure}: {took:?}");
                });
            }
        }
    });
}

#[test]
fn documents_of_the_wrong_form_are_errors_or_empty() {
    for name in OVER_HTTP {
        for body in [
            "",
            "<html>Welcome to our hotel</html>",
            "[]",
            "{}",
            "null",
            "\u{0}",
        ] {
            let mock = Mock::start(move |_| Response::ok(body));
            // A source may fail here, but must neither panic nor invent a network.
            if let Ok(Some(data)) = ask(name, &mock.root) {
                assert_eq!(data.network, None, "{name} {body}");
            }
        }
    }
}
