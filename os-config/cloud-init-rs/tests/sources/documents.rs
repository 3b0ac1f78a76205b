//! Services that answer with whole documents.

use crate::mock::{Mock, Response};
use crate::query::{ask, ask_table, interfaces, some};
use serde_json::json;

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
    let data = ask_table(
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
    let data = ask_table(
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
    let data = ask_table("vultr", &[("/v1.json", &document.to_string())]);
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
        "/conf?format=json" => Response::ok(
            json!({"hostname": "s", "id": "i", "ssh_public_keys": [{"key": "k1"}],
                "public_ip": {"address": "5.6.7.8"}, "private_ip": "10.1.2.3"})
            .to_string(),
        ),
        "/user_data/cloud-init" if request.peer_port < 1024 => Response::ok("#cloud-config\n"),
        _ => Response::status(403),
    });
    let data = ask("scaleway", &mock.root).unwrap().unwrap();
    assert_eq!(data.hostname, some("s"));
    assert_eq!(data.ssh_keys, ["k1"]);
    assert_eq!(data.addresses.private_ipv4, some("10.1.2.3"));
    // Only root can use a client port below 1024.
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
fn oracle() {
    let document = json!({"id": "o", "hostname": "ora",
        "metadata": {"user_data": "I2Nsb3VkLWNvbmZpZwo=", "ssh_authorized_keys": "k1\nk2"}});
    for version in ["v1", "v2"] {
        let (path, body) = (format!("/opc/{version}/instance/"), document.to_string());
        let mock = Mock::start(move |request| {
            let bearer = request.headers.get("authorization").map(String::as_str);
            if request.path == path && bearer == Some("Bearer Oracle") {
                Response::ok(body.clone())
            } else {
                Response::status(404)
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
    let data = ask_table(
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
    let data = ask_table(
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
