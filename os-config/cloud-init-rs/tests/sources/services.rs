//! Every data source on the network against a mock of its service.

use std::time::Duration;

use crate::mock::{Answer, Mock};
use cloud_init_rs::sources::find;
use cloud_init_rs::{Client, Data, Firmware, Query, SourceError};
use serde_json::{Value, json};

fn ask(name: &str, root: &str) -> Result<Option<Data>, SourceError> {
    ask_within(name, root, Duration::from_secs(10))
}

fn ask_within(name: &str, root: &str, patience: Duration) -> Result<Option<Data>, SourceError> {
    let service = find(name).unwrap_or_else(|| panic!("no service {name}"));
    service.fetch(&Query {
        http: &Client::new(patience),
        firmware: &Firmware::default(),
        root: Some(root),
    })
}

/// What a table of GETs makes of a data source.
fn of(name: &str, entries: &[(&str, &str)]) -> Data {
    ask(name, &Mock::table(entries).root)
        .unwrap()
        .unwrap_or_default()
}

fn interfaces(data: &Data) -> Value {
    let network = data
        .network
        .as_ref()
        .map(|network| network.to_cloud_config());
    network.map_or(Value::Null, |config| {
        config["rancher"]["network"]["interfaces"].clone()
    })
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn ec2() {
    let data = of(
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
    let data = of(
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
    // The rest is not lost to one bad line.
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
                Answer::ok("secret")
            }
            ("GET", _, Some(token)) if token != "secret" => Answer::status(401),
            ("GET", _, None) => Answer::status(401),
            ("GET", "/latest/meta-data/", _) => Answer::ok("hostname"),
            ("GET", "/latest/meta-data/hostname", _) => Answer::ok("v2"),
            _ => Answer::status(404),
        }
    });
    let data = ask("ec2", &mock.root).unwrap().unwrap();
    assert_eq!(data.hostname, some("v2"));
    // Version 1 only: the question for a token is refused, in whatever way.
    for status in [400, 403, 404, 405] {
        let mock = Mock::start(move |request| match request.method.as_str() {
            "PUT" => Answer::status(status),
            _ if request.headers.contains_key("x-aws-ec2-metadata-token") => Answer::status(400),
            _ => Answer::ok("v1"),
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
                return Answer::status(403);
            }
            let known = entries.iter().find(|(path, _)| *path == request.path);
            known.map_or(Answer::status(404), |(_, body)| Answer::ok(body.clone()))
        });
        ask("gce", &mock.root).unwrap().unwrap()
    };
    assert_eq!(with(&[("instance/", "")]), Data::default(), "CM-18");
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

const GOAL_STATE: &str = "<?xml version=\"1.0\"?><GoalState><Incarnation>1</Incarnation><Container>\
    <ContainerId>c-1</ContainerId><RoleInstanceList><RoleInstance><InstanceId>i_2.x</InstanceId>\
    </RoleInstance></RoleInstanceList></Container></GoalState>";

#[test]
fn azure() {
    let instance = json!({
        "compute": {"name": "rancheros", "vmId": "v", "publicKeys": [{"keyData": "publickey1\r\n"}]},
        "network": {"interface": [{"ipv4": {"ipAddress": [
            {"privateIpAddress": "192.168.1.2", "publicIpAddress": "5.6.7.8"}]}, "ipv6": {"ipAddress": []}}]},
    });
    let mock = Mock::start(move |request| {
        let metadata = request.headers.get("metadata").map(String::as_str) == Some("true");
        match request.path.as_str() {
            "/metadata/instance?api-version=2019-02-01&format=json" if metadata => {
                Answer::ok(instance.to_string())
            }
            "/metadata/instance/compute/customData?api-version=2019-02-01&format=text"
                if metadata =>
            {
                Answer::ok("I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogcmFuY2hlcjE=")
            }
            "/machine?comp=goalstate" if request.headers.contains_key("x-ms-version") => {
                Answer::ok(GOAL_STATE)
            }
            "/machine?comp=health" if request.method == "POST" => Answer::ok(""),
            _ => Answer::status(400),
        }
    });
    let data = ask("azure", &mock.root).unwrap().unwrap();
    assert_eq!(data.hostname, some("rancheros"), "CM-31 CM-33");
    assert_eq!(data.ssh_keys, ["publickey1"], "CM-33 CM-35");
    assert_eq!(data.addresses.private_ipv4, some("192.168.1.2"), "CM-33");
    assert_eq!(data.addresses.public_ipv4, some("5.6.7.8"), "CM-33");
    assert_eq!(
        data.user_data, b"#cloud-config\nhostname: rancher1",
        "CM-32 CM-34"
    );
    assert_eq!(data.problems, [""; 0]);
    let requests = mock.requests();
    let report = requests.last().unwrap();
    assert_eq!(report.path, "/machine?comp=health");
    for expected in [
        "<ContainerId>c-1</ContainerId>",
        "<InstanceId>i_2.x</InstanceId>",
        "<State>Ready</State>",
    ] {
        assert!(report.body.contains(expected), "{}", report.body);
    }
}

#[test]
fn azure_without_its_wire_server() {
    for state in [
        "",
        "<GoalState/>",
        "no XML",
        &GOAL_STATE.replace("c-1", "c&lt;1"),
    ] {
        let state = state.to_owned();
        let mock =
            Mock::start(
                move |request| match request.path.split('?').next().unwrap_or_default() {
                    "/metadata/instance" => Answer::ok("{\"compute\":{\"name\":\"n\"}}"),
                    "/machine" => Answer::ok(state.clone()),
                    _ => Answer::status(404),
                },
            );
        let data = ask("azure", &mock.root).unwrap().unwrap();
        assert_eq!(data.hostname, some("n"));
        assert!(
            data.problems[0].contains("was not told"),
            "{:?}",
            data.problems
        );
    }
}

#[test]
fn digitalocean() {
    let document = json!({
        "droplet_id": 1, "hostname": "drop", "public_keys": ["publickey1", "publickey2"],
        "dns": {"nameservers": ["8.8.8.8"]},
        "interfaces": {
            "public": [{
                "mac": "no MAC",
                "ipv4": {"ip_address": "192.168.1.2", "netmask": "255.255.255.0", "gateway": "192.168.1.1"},
                "anchor_ipv4": {"ip_address": "10.17.0.5", "netmask": "255.255.0.0", "gateway": "10.17.0.1"},
                "ipv6": {"ip_address": "fe00::", "cidr": 126, "gateway": "fe00::"}}],
            "private": [{"ipv4": {"ip_address": "10.128.0.5", "netmask": "255.255.0.0", "gateway": "10.128.0.1"}}]},
    });
    let data = of(
        "digitalocean",
        &[
            ("/metadata/v1.json", &document.to_string()),
            ("/metadata/v1/user-data", "#cloud-config\n"),
        ],
    );
    assert_eq!(data.ssh_keys, ["publickey1", "publickey2"], "CM-16");
    assert_eq!(data.addresses.public_ipv4, some("192.168.1.2"), "CM-16");
    assert_eq!(data.addresses.public_ipv6, some("fe00::"), "CM-16");
    assert_eq!(data.hostname, some("drop"), "CM-17");
    assert_eq!(data.user_data, b"#cloud-config\n");
    assert_eq!(
        interfaces(&data),
        json!({
            "eth0": {"dhcp": false, "addresses": ["192.168.1.2/24", "10.17.0.5/16", "fe00::/126"],
                "gateway": "192.168.1.1", "gateway_ipv6": "fe00::"},
            "eth1": {"dhcp": false, "addresses": ["10.128.0.5/16"], "gateway": "10.128.0.1"},
        }),
        "CM-16 CM-17"
    );
    let mock = Mock::table(&[("/metadata/v1.json", "bad")]);
    let error = ask("digitalocean", &mock.root).unwrap_err().to_string();
    assert!(error.contains("v1.json: expected JSON"), "CM-15 {error}");
}

#[test]
fn hetzner() {
    let metadata = "availability-zone: fsn1-dc14\nhostname: h\ninstance-id: 42\npublic-ipv4: 5.6.7.8\npublic-keys: [k1, k2]\n\
        vendor_data: |\n  #cloud-config\nnetwork-config:\n  version: 1\n  config:\n  - {type: physical, name: eth0, \
        mac_address: '96:00:00:00:00:01', subnets: [{type: dhcp, ipv4: true}]}\n";
    let data = of(
        "hetzner",
        &[
            ("/hetzner/v1/metadata", metadata),
            ("/hetzner/v1/userdata", "#!/bin/sh\n"),
        ],
    );
    assert_eq!(data.hostname, some("h"));
    assert_eq!(data.instance_id, some("42"));
    assert_eq!(data.ssh_keys, ["k1", "k2"]);
    assert_eq!(data.user_data, b"#!/bin/sh\n");
    assert_eq!(data.vendor_data, b"#cloud-config\n");
    assert_eq!(
        interfaces(&data),
        json!({"mac:96:00:00:00:00:01": {"dhcp": true}})
    );
}

#[test]
fn vultr() {
    let document = json!({
        "hostname": "v", "instance-v2-id": "abc", "public-keys": "k1\nk2\n", "user-data": "#cloud-config\n",
        "interfaces": [
            {"mac": "56:00:00:00:00:01", "network-type": "public", "ipv4": {"address": "5.6.7.8", "netmask": "255.255.254.0"}},
            {"mac": "56:00:00:00:00:02", "network-type": "private", "ipv4": {"address": "10.1.0.3", "netmask": "255.255.240.0"}}],
    });
    let data = of("vultr", &[("/v1.json", &document.to_string())]);
    assert_eq!(data.hostname, some("v"));
    assert_eq!(data.ssh_keys, ["k1", "k2"]);
    assert_eq!(data.user_data, b"#cloud-config");
    assert_eq!(data.addresses.public_ipv4, some("5.6.7.8"));
    assert_eq!(data.addresses.private_ipv4, some("10.1.0.3"));
    assert_eq!(
        interfaces(&data),
        json!({
            "mac:56:00:00:00:00:01": {"dhcp": true},
            "mac:56:00:00:00:00:02": {"dhcp": false, "addresses": ["10.1.0.3/20"]},
        })
    );
}

#[test]
fn scaleway() {
    let mock = Mock::start(|request| match request.path.as_str() {
        "/conf?format=json" => Answer::ok(
            json!({"hostname": "s", "id": "i", "ssh_public_keys": [{"key": "k1"}],
                "public_ip": {"address": "5.6.7.8"}, "private_ip": "10.1.2.3"})
            .to_string(),
        ),
        "/user_data/cloud-init" if request.peer_port < 1024 => Answer::ok("#cloud-config\n"),
        _ => Answer::status(403),
    });
    let data = ask("scaleway", &mock.root).unwrap().unwrap();
    assert_eq!(data.hostname, some("s"));
    assert_eq!(data.ssh_keys, ["k1"]);
    assert_eq!(data.addresses.private_ipv4, some("10.1.2.3"));
    // The mock is asked from such a port only by root, who runs the tests that boot machines as well.
    if data.problems.is_empty() {
        assert_eq!(data.user_data, b"#cloud-config\n");
    } else {
        assert!(
            data.problems[0].contains("user_data"),
            "{:?}",
            data.problems
        );
    }
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
        let data = of(name, &entries);
        assert_eq!(data.hostname, some("host"), "CM-24 CM-25 CM-26 CM-27");
        assert_eq!(data.addresses.private_ipv4, some("1.2.3.4"), "CM-24");
        assert_eq!(data.addresses.public_ipv4, some("5.6.7.8"), "CM-24");
        assert_eq!(data.ssh_keys, ["key", "key2"], "CM-24 CM-28");
        assert_eq!(data.user_data, b"#cloud-config\n");
    }
    // Without a root, whoever gave the machine its address is asked.
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
    let data = of(
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
    let data = of(
        "aliyun",
        &[
            (&format!("{base}/meta-data/"), "hostname\n"),
            (&format!("{base}/user-data"), "#cloud-config\n"),
        ],
    );
    // Without keys the user-data counts all the same.
    assert_eq!(data.user_data, b"#cloud-config\n", "CM-29");
}

#[test]
fn oracle() {
    let document = json!({"id": "o", "hostname": "ora",
        "metadata": {"user_data": "I2Nsb3VkLWNvbmZpZwo=", "ssh_authorized_keys": "k1\nk2"}});
    for version in ["v1", "v2"] {
        let (path, body) = (format!("/opc/{version}/instance/"), document.to_string());
        let mock = Mock::start(move |request| {
            let bearer = request.headers.get("authorization").map(String::as_str);
            if request.path == path && bearer == Some("Bearer Oracle") {
                Answer::ok(body.clone())
            } else {
                Answer::status(404)
            }
        });
        let data = ask("oracle", &mock.root).unwrap().unwrap();
        assert_eq!(data.hostname, some("ora"), "{version}");
        assert_eq!(data.user_data, b"#cloud-config\n", "{version}");
        assert_eq!(data.ssh_keys, ["k1", "k2"], "{version}");
    }
}

#[test]
fn packet() {
    let document = json!({"id": "p", "hostname": "metal", "ssh_keys": ["k1"],
        "network": {"bonding": {"mode": 4},
            "interfaces": [{"name": "eno1", "mac": "0C:00:00:00:00:01", "bond": "bond0"},
                           {"name": "eno2", "mac": "0c:00:00:00:00:02", "bond": "bond0"}],
            "addresses": [
                {"address_family": 4, "public": true, "cidr": 31, "address": "5.6.7.9", "gateway": "5.6.7.8"},
                {"address_family": 6, "public": true, "cidr": 127, "address": "2604::1", "gateway": "2604::"},
                {"address_family": 4, "public": false, "cidr": 31, "address": "10.0.0.3", "gateway": "10.0.0.2"}]}});
    let data = of(
        "packet",
        &[
            ("/metadata", &document.to_string()),
            ("/userdata", "#cloud-config\n"),
        ],
    );
    assert_eq!(data.hostname, some("metal"));
    assert_eq!(data.addresses.private_ipv4, some("10.0.0.3"));
    assert_eq!(
        interfaces(&data),
        json!({
            "mac:0c:00:00:00:00:01": {"dhcp": false, "bond": "bond0"},
            "mac:0c:00:00:00:00:02": {"dhcp": false, "bond": "bond0"},
            "bond0": {"dhcp": false, "addresses": ["5.6.7.9/31", "2604::1/127", "10.0.0.3/31"],
                "gateway": "5.6.7.8", "gateway_ipv6": "2604::",
                "post_up": ["ip route replace 10.0.0.0/8 via 10.0.0.2 dev $iface"],
                "bond_opts": {"mode": "4", "lacp_rate": "1", "xmit_hash_policy": "layer3+4",
                    "downdelay": "200", "updelay": "200", "miimon": "100"}},
        })
    );
}

#[test]
fn openstack() {
    let data = of(
        "openstack",
        &[
            (
                "/openstack/latest/meta_data.json",
                r#"{"hostname": "nova", "uuid": "u", "public_keys": {"a": "k1\n"}}"#,
            ),
            ("/openstack/latest/user_data", "#cloud-config\n"),
            (
                "/openstack/latest/vendor_data.json",
                r##"{"cloud-init": "#cloud-config\nx: y\n"}"##,
            ),
            (
                "/openstack/latest/network_data.json",
                r#"{"links": [{"id": "a", "type": "phy", "ethernet_mac_address": "fa:16:3e:00:00:01"}],
                    "networks": [{"link": "a", "type": "ipv4_dhcp"}]}"#,
            ),
        ],
    );
    assert_eq!(data.hostname, some("nova"));
    assert_eq!(data.ssh_keys, ["k1"]);
    assert_eq!(data.vendor_data, b"#cloud-config\nx: y\n");
    assert_eq!(
        interfaces(&data),
        json!({"mac:fa:16:3e:00:00:01": {"dhcp": true}})
    );
}

#[test]
fn nocloud_over_http() {
    let mock = Mock::table(&[
        ("/seed/meta-data", "instance-id: i\nlocal-hostname: net\n"),
        ("/seed/user-data", "#cloud-config\n"),
        (
            "/seed/network-config",
            "version: 2\nethernets: {eth0: {dhcp4: true}}\n",
        ),
    ]);
    let service = find("nocloud-net").unwrap();
    let firmware = Firmware {
        serial: format!("ds=nocloud;h=named;s={}/seed/", mock.root),
        ..Firmware::default()
    };
    assert!(service.detect(&firmware) && service.needs_network(&firmware));
    let http = Client::new(Duration::from_secs(10));
    let query = Query {
        http: &http,
        firmware: &firmware,
        root: None,
    };
    let data = service.fetch(&query).unwrap().unwrap();
    assert_eq!(data.hostname, some("named"));
    assert_eq!(data.instance_id, some("i"));
    assert_eq!(data.user_data, b"#cloud-config\n");
    assert_eq!(interfaces(&data), json!({"eth0": {"dhcp": true}}));
}

#[test]
fn plain_addresses() {
    let mock = Mock::table(&[("/a", "foobar\n")]);
    let url = format!("{}/a", mock.root);
    let data = ask("url", &url).unwrap().unwrap();
    assert_eq!(data.user_data, b"foobar\n", "DS-26 DS-27");
    assert_eq!(mock.requests().len(), 1, "DS-27: asked for once");
    assert_eq!(ask("url", &format!("{url}b")).unwrap(), None, "DS-27");
    let service = find("cmdline").unwrap();
    let firmware = Firmware {
        kernel_line: format!("quiet cloud-config-url={url}"),
        ..Firmware::default()
    };
    let http = Client::new(Duration::from_secs(10));
    let query = Query {
        http: &http,
        firmware: &firmware,
        root: None,
    };
    assert!(service.detect(&firmware));
    let data = service.fetch(&query).unwrap().unwrap();
    assert_eq!(data.user_data, b"foobar\n", "DS-26");
    for name in ["url", "file", "tftp", "cmdline"] {
        let query = Query {
            http: &http,
            firmware: &Firmware::default(),
            root: None,
        };
        let error = find(name).unwrap().fetch(&query).unwrap_err();
        assert!(!error.to_string().is_empty(), "DS-28 {name}");
    }
}

#[test]
fn files() {
    let path = std::env::temp_dir().join(format!("file-source-{}", std::process::id()));
    std::fs::write(&path, "#cloud-config\n").unwrap();
    let data = ask("file", path.to_str().unwrap()).unwrap().unwrap();
    assert_eq!(data.user_data, b"#cloud-config\n");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ask("file", path.to_str().unwrap()).unwrap(), None);
}

/// Those that speak HTTP.
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
    type Failure = (&'static str, fn() -> Answer);
    let failures: [Failure; 6] = [
        ("redirects", || {
            Answer::status(302).header("Location", "/loop")
        }),
        ("large", || Answer::ok(vec![b'x'; 17 << 20])),
        ("500", || Answer::status(500)),
        ("slow", || Answer {
            delay: Duration::from_secs(60),
            ..Answer::ok("")
        }),
        ("garbage", || Answer {
            raw: Some(b"\x00\xffgarbage\r\n\r\n".to_vec()),
            ..Answer::ok("")
        }),
        ("nothing", || Answer {
            raw: Some(Vec::new()),
            ..Answer::ok("")
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
            let mock = Mock::start(move |_| Answer::ok(body));
            // What matters is that nobody panics, and that nothing is made up.
            if let Ok(Some(data)) = ask(name, &mock.root) {
                assert_eq!(data.network, None, "{name} {body}");
            }
        }
    }
}

#[test]
fn firmware_says_where_a_machine_runs() {
    let firmware = |vendor: &str, product: &str, chassis: &str| Firmware {
        vendor: vendor.into(),
        product: product.into(),
        chassis_tag: chassis.into(),
        ..Firmware::default()
    };
    for (expected, firmware) in [
        (vec!["ec2"], firmware("Amazon EC2", "t3.micro", "")),
        (vec!["gce"], firmware("Google", "Google Compute Engine", "")),
        (
            vec!["azure"],
            firmware(
                "Microsoft Corporation",
                "Virtual Machine",
                "7783-7084-3265-9085-8269-3286-77",
            ),
        ),
        // Hyper-V at home is no cloud.
        (
            vec![],
            firmware("Microsoft Corporation", "Virtual Machine", "1"),
        ),
        (
            vec!["digitalocean"],
            firmware("DigitalOcean", "Droplet", ""),
        ),
        (vec!["hetzner"], firmware("Hetzner", "vServer", "")),
        (vec!["vultr"], firmware("Vultr", "VC2", "")),
        (vec!["scaleway"], firmware("Scaleway", "SCW-DEV1-S", "")),
        (
            vec!["exoscale"],
            firmware("Exoscale", "Exoscale Compute Platform", ""),
        ),
        (
            vec!["aliyun"],
            firmware("Alibaba Cloud", "Alibaba Cloud ECS", ""),
        ),
        (
            vec!["oracle"],
            firmware("QEMU", "Standard PC", "OracleCloud.com"),
        ),
        (
            vec!["openstack"],
            firmware("OpenStack Foundation", "OpenStack Nova", ""),
        ),
        (
            vec!["cloudstack"],
            firmware(
                "Apache Software Foundation",
                "CloudStack KVM Hypervisor",
                "",
            ),
        ),
        (
            vec!["vmware"],
            firmware("VMware, Inc.", "VMware Virtual Platform", "No Asset Tag"),
        ),
        (
            vec![],
            firmware("QEMU", "Standard PC (Q35 + ICH9, 2009)", ""),
        ),
        (vec![], firmware("innotek GmbH", "VirtualBox", "")),
        (vec![], firmware("Xen", "HVM domU", "")),
    ] {
        let found: Vec<&str> = cloud_init_rs::sources::ALL
            .into_iter()
            .filter(|service| service.detect(&firmware))
            .map(|service| service.name())
            .collect();
        assert_eq!(found, expected, "{firmware:?}");
    }
}

#[test]
fn names_and_roots() {
    let names: Vec<&str> = cloud_init_rs::sources::ALL
        .into_iter()
        .map(|service| service.name())
        .collect();
    for name in [
        "aliyun",
        "azure",
        "cloudstack",
        "digitalocean",
        "ec2",
        "exoscale",
        "gce",
        "packet",
        "vmware",
        "tftp",
        "url",
        "file",
        "cmdline",
    ] {
        assert!(
            names.contains(&name),
            "CM-01 CM-02 CM-03 CM-04 CM-05 CM-06 CM-07 DS-07 {name}"
        );
    }
    // With and without a slash at the root's end.
    for slash in ["", "/"] {
        let mock = Mock::table(&[("/latest/meta-data/", ""), ("/latest/user-data", "hello")]);
        let data = ask("ec2", &format!("{}{slash}", mock.root))
            .unwrap()
            .unwrap();
        assert_eq!(data.user_data, b"hello", "MS-03 MS-04 MS-05");
    }
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
    let tree = cloud_init_rs::sources::attributes::Attributes {
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
    let tree = cloud_init_rs::sources::attributes::Attributes {
        http: &gone,
        base: "http://127.0.0.1:9".to_owned(),
        headers: Vec::new(),
    };
    assert!(
        tree.lines("a").is_err() && tree.first("a").is_err(),
        "MS-06 MS-07 CM-08"
    );
}
