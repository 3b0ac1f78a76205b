//! Services that keep metadata in a tree of small texts.

use std::time::Duration;

use crate::mock::{Mock, Response};
use crate::query::{ask, ask_table, some};
use cloud_init_rs::sources::attributes::Attributes;
use cloud_init_rs::sources::find;
use cloud_init_rs::{Client, Firmware, InstanceData, Query};

#[test]
fn ec2() {
    let data = ask_table(
        "ec2",
        &[
            ("/latest/meta-data/", "hostname\n"),
            ("/latest/meta-data/hostname", "host"),
            ("/latest/meta-data/local-ipv4", "1.2.3.4"),
            ("/latest/meta-data/public-ipv4", "5.6.7.8"),
            ("/latest/meta-data/public-keys", "0=test1\n"),
            ("/latest/meta-data/public-keys/0/openssh-key", "key"),
        ],
    );
    assert_eq!(data.hostname, some("host"), "CM-10");
    assert_eq!(data.addresses.private_ipv4, some("1.2.3.4"), "CM-10");
    assert_eq!(data.addresses.public_ipv4, some("5.6.7.8"), "CM-10");
    assert_eq!(data.ssh_keys, ["key"], "CM-10");
    assert_eq!(data.root_disk, some("/dev/xvda"), "CM-10 CM-12");
    assert_eq!(data.network, None, "CM-10");
    let data = ask_table(
        "ec2",
        &[
            ("/latest/meta-data/", ""),
            ("/latest/meta-data/hostname", "host domain another_domain"),
            ("/latest/meta-data/instance-type", "m5.large"),
            ("/latest/meta-data/public-keys", "0=test1\n1=test2\nbad\n"),
            ("/latest/meta-data/public-keys/0/openssh-key", "k0"),
            ("/latest/meta-data/public-keys/1/openssh-key", "k1"),
            ("/latest/user-data", "#cloud-config\n"),
        ],
    );
    assert_eq!(data.hostname, some("host"), "CM-11");
    assert_eq!(data.root_disk, some("/dev/nvme0n1"), "CM-11");
    assert_eq!(data.ssh_keys, ["k0", "k1"], "CM-13");
    assert_eq!(data.user_data, b"#cloud-config\n");
    // A bad line does not lose the other lines.
    assert_eq!(data.problems, ["malformed public key: \"bad\""], "CM-09");
    assert_eq!(
        ask("ec2", &Mock::table(&[]).root).unwrap(),
        None,
        "CM-14 MS-02"
    );
}

#[test]
fn ec2_with_a_token() {
    let mock = Mock::start(|request| {
        let token = request.headers.get("x-aws-ec2-metadata-token");
        match (request.method.as_str(), request.path.as_str(), token) {
            ("PUT", "/latest/api/token", None)
                if request
                    .headers
                    .contains_key("x-aws-ec2-metadata-token-ttl-seconds") =>
            {
                Response::ok("secret")
            }
            ("GET", _, Some(token)) if token != "secret" => Response::status(401),
            ("GET", _, None) => Response::status(401),
            ("GET", "/latest/meta-data/", _) => Response::ok("hostname"),
            ("GET", "/latest/meta-data/hostname", _) => Response::ok("v2"),
            _ => Response::status(404),
        }
    });
    let data = ask("ec2", &mock.root).unwrap().unwrap();
    assert_eq!(data.hostname, some("v2"));
    // A service of version 1 refuses a token with any of these statuses.
    for status in [400, 403, 404, 405] {
        let mock = Mock::start(move |request| match request.method.as_str() {
            "PUT" => Response::status(status),
            _ if request.headers.contains_key("x-aws-ec2-metadata-token") => Response::status(400),
            _ => Response::ok("v1"),
        });
        let data = ask("ec2", &mock.root).unwrap().unwrap();
        assert_eq!(data.hostname, some("v1"), "{status}");
    }
}

#[test]
fn gce() {
    let base = "/computeMetadata/v1";
    let with = |entries: &[(&str, &str)]| {
        let entries: Vec<(String, String)> = entries
            .iter()
            .map(|(path, body)| (format!("{base}/{path}"), (*body).to_owned()))
            .collect();
        let mock = Mock::start(move |request| {
            if request.headers.get("metadata-flavor").map(String::as_str) != Some("Google") {
                return Response::status(403);
            }
            let known = entries.iter().find(|(path, _)| *path == request.path);
            known.map_or(Response::status(404), |(_, body)| {
                Response::ok(body.clone())
            })
        });
        ask("gce", &mock.root).unwrap().unwrap()
    };
    assert_eq!(with(&[("instance/", "")]), InstanceData::default(), "CM-18");
    let data = with(&[
        ("instance/", ""),
        ("instance/hostname", "host"),
        ("instance/network-interfaces/0/ip", "1.2.3.4"),
        (
            "instance/network-interfaces/0/access-configs/0/external-ip",
            "5.6.7.8",
        ),
    ]);
    assert_eq!(data.hostname, some("host"), "CM-19");
    assert_eq!(data.addresses.private_ipv4, some("1.2.3.4"), "CM-20");
    assert_eq!(data.addresses.public_ipv4, some("5.6.7.8"), "CM-20");
    let keys = [
        ("instance/", ""),
        (
            "instance/attributes/ssh-keys",
            "al:ssh-rsa III al\nnocolon\nx:\n",
        ),
        ("project/attributes/ssh-keys", "bob:ssh-rsa PPP bob\n"),
        ("instance/attributes/startup-script", "#!/bin/sh\n"),
    ];
    let data = with(&keys);
    assert_eq!(
        data.ssh_keys,
        ["ssh-rsa III al", "ssh-rsa PPP bob"],
        "CM-21"
    );
    assert_eq!(data.user_data, b"#!/bin/sh\n", "CM-23");
    let blocked = [
        &keys[..],
        &[("instance/attributes/block-project-ssh-keys", "true")],
    ]
    .concat();
    assert_eq!(with(&blocked).ssh_keys, ["ssh-rsa III al"], "CM-22");
    let data = with(&[
        ("instance/", ""),
        ("instance/attributes/user-data", "I2Nsb3Vk\nLWNvbmZpZwo="),
        ("instance/attributes/user-data-encoding", "base64"),
    ]);
    assert_eq!(data.user_data, b"#cloud-config\n");
}

#[test]
fn cloudstack_and_exoscale() {
    for (name, base) in [("cloudstack", "/latest"), ("exoscale", "/1.0")] {
        let path = |key: &str| format!("{base}/{key}");
        let entries = [
            (path("meta-data/"), ""),
            (
                path("meta-data/local-hostname"),
                "host domain another_domain",
            ),
            (path("meta-data/local-ipv4"), "1.2.3.4"),
            (path("meta-data/public-ipv4"), "5.6.7.8"),
            (path("meta-data/public-keys"), "key\nkey2\n"),
            (path("user-data"), "#cloud-config\n"),
        ];
        let entries: Vec<(&str, &str)> = entries
            .iter()
            .map(|(path, body)| (path.as_str(), *body))
            .collect();
        let data = ask_table(name, &entries);
        assert_eq!(data.hostname, some("host"), "CM-24 CM-25 CM-26 CM-27");
        assert_eq!(data.addresses.private_ipv4, some("1.2.3.4"), "CM-24");
        assert_eq!(data.addresses.public_ipv4, some("5.6.7.8"), "CM-24");
        assert_eq!(data.ssh_keys, ["key", "key2"], "CM-24 CM-28");
        assert_eq!(data.user_data, b"#cloud-config\n");
    }
    // Without a root, the DHCP server of the machine is asked.
    let service = find("cloudstack").unwrap();
    let http = Client::new(Duration::from_millis(300));
    let mock = Mock::table(&[("/latest/meta-data/", "")]);
    let server = mock.root.trim_start_matches("http://").to_owned();
    for (dhcp_servers, found) in [(vec![], false), (vec![server], true)] {
        let firmware = Firmware {
            dhcp_servers,
            ..Firmware::default()
        };
        let query = Query {
            http: &http,
            firmware: &firmware,
            root: None,
        };
        assert_eq!(service.fetch(&query).is_ok(), found);
    }
}

#[test]
fn aliyun() {
    let base = "/2016-01-01";
    let data = ask_table(
        "aliyun",
        &[
            (&format!("{base}/meta-data/"), "hostname\npublic-keys/\n"),
            (&format!("{base}/meta-data/hostname"), "host"),
            (&format!("{base}/meta-data/public-keys/"), "xx/"),
            (
                &format!("{base}/meta-data/public-keys/xx/openssh-key"),
                "key",
            ),
        ],
    );
    assert_eq!(data.hostname, some("host"), "CM-30");
    assert_eq!(data.ssh_keys, ["key"], "CM-30");
    let data = ask_table(
        "aliyun",
        &[
            (&format!("{base}/meta-data/"), "hostname\n"),
            (&format!("{base}/user-data"), "#cloud-config\n"),
        ],
    );
    // User-data is used even without keys.
    assert_eq!(data.user_data, b"#cloud-config\n", "CM-29");
}

#[test]
fn lists_and_single_attributes() {
    let mock = Mock::table(&[
        ("/", "a\nb\nc/\n"),
        ("/b", "2\n"),
        ("/c/d", "3\nmore"),
        ("/c/e/", "f"),
    ]);
    let http = Client::new(Duration::from_secs(5));
    let tree = Attributes {
        http: &http,
        base: mock.root.clone(),
        headers: Vec::new(),
    };
    for (path, expected) in [
        ("", &["a", "b", "c/"][..]),
        ("b", &["2"]),
        ("c/e/", &["f"]),
        ("none", &[]),
    ] {
        assert_eq!(tree.lines(path).unwrap(), expected, "MS-06 {path}");
    }
    for (path, expected) in [("b", some("2")), ("c/d", some("3")), ("none", None)] {
        assert_eq!(tree.first(path).unwrap(), expected, "MS-07 {path}");
    }
    let gone = Client::new(Duration::from_millis(100));
    let tree = Attributes {
        http: &gone,
        base: "http://127.0.0.1:9".to_owned(),
        headers: Vec::new(),
    };
    assert!(
        tree.lines("a").is_err() && tree.first("a").is_err(),
        "MS-06 MS-07 CM-08"
    );
}
