//! The data that keys give, with the ids of RancherOS's cases (docs/compatibility-cases.md).

use super::data;
use crate::data::InstanceData;
use crate::error::SourceError;
use serde_json::json;

fn of(settings: &[(&str, &str)]) -> Result<InstanceData, SourceError> {
    let lookup = |key: &str| {
        let known = settings.iter().find(|(name, _)| *name == key);
        known.map(|(_, value)| (*value).to_owned())
    };
    data(&lookup).map(Option::unwrap_or_default)
}

#[test]
fn user_data_by_the_references_ids() {
    for (id, settings, expected) in [
        ("DS-15", vec![], Ok("")),
        (
            "DS-16",
            vec![("cloud-init.config.data", "test config")],
            Ok("test config"),
        ),
        (
            "DS-16",
            vec![
                ("cloud-init.config.data", "test config"),
                ("cloud-init.data.encoding", ""),
            ],
            Ok("test config"),
        ),
        (
            "DS-17",
            vec![
                ("cloud-init.config.data", "dGVzdCBjb25maWc="),
                ("cloud-init.data.encoding", "base64"),
            ],
            Ok("test config"),
        ),
        (
            "DS-19",
            vec![
                ("cloud-init.config.data", "x"),
                ("cloud-init.data.encoding", "test encoding"),
            ],
            Err("Unsupported encoding \"test encoding\""),
        ),
        (
            "DS-20",
            vec![("cloud-init.config.url", "http://h/a")],
            Ok("#include\nhttp://h/a\n"),
        ),
        (
            "",
            vec![
                ("userdata", "dGVzdCBjb25maWc="),
                ("userdata.encoding", "b64"),
            ],
            Ok("test config"),
        ),
        (
            "",
            vec![("user-data", "dGVzdCBjb25maWc=")],
            Ok("test config"),
        ),
        (
            "",
            vec![("user-data", "#cloud-config")],
            Ok("#cloud-config"),
        ),
    ] {
        match (of(&settings), expected) {
            (Ok(data), Ok(expected)) => assert_eq!(data.user_data, expected.as_bytes(), "{id}"),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{id}")
            }
            (found, _) => panic!("{id}: {found:?}"),
        }
    }
}

#[test]
fn gzip_stays_packed() {
    let found = of(&[
        (
            "cloud-init.config.data",
            "H4sIABaoWlUAAytJLS5RSM7PS8tMBwCQiHNZCwAAAA==",
        ),
        ("cloud-init.data.encoding", "gzip+base64"),
    ]);
    assert_eq!(found.unwrap().user_data[..2], [0x1F, 0x8B], "DS-18");
}

#[test]
fn interfaces_by_the_references_ids() {
    let found = of(&[
        ("hostname", "second"),
        ("interface.0.name", "name"),
        ("interface.0.dhcp", "yes"),
    ])
    .unwrap();
    assert_eq!(found.hostname.as_deref(), Some("second"), "DS-12");
    assert_eq!(
        found.network.unwrap().to_cloud_config()["rancher"]["network"]["interfaces"],
        json!({"name": {"dhcp": true}}),
        "DS-12"
    );
    let found = of(&[
        ("interface.0.mac", "00:11:22:33:44:55"),
        ("interface.0.role", "private"),
        ("interface.0.ip.0.address", "fe00::100/64"),
        ("interface.0.route.0.gateway", "fe00::1"),
        ("interface.0.route.0.destination", "::"),
    ])
    .unwrap();
    assert_eq!(
        found.addresses.private_ipv6.as_deref(),
        Some("fe00::100"),
        "DS-13"
    );
    assert_eq!(
        found.network.unwrap().to_cloud_config()["rancher"]["network"]["interfaces"],
        json!({"mac:00:11:22:33:44:55": {"dhcp": false, "addresses": ["fe00::100/64"], "gateway_ipv6": "fe00::1"}}),
        "DS-13"
    );
    let found = of(&[
        ("dns.server.0", "1.1.1.1"),
        ("dns.domains", "lan, example.com"),
        ("interface.0.name", "test"),
        ("interface.0.role", "public"),
        ("interface.0.ip.0.address", "10.0.0.100/24"),
        ("interface.0.ip.1.address", "10.0.0.101/24"),
        ("interface.0.route.0.gateway", "10.0.0.1"),
        ("interface.1.mac", "00:00:00:00:00:02"),
        ("interface.1.role", "private"),
        ("interface.1.ip.0.address", "10.0.0.102/24"),
        ("interface.1.route.0.gateway", "10.0.0.2"),
    ])
    .unwrap();
    assert_eq!(
        found.addresses.public_ipv4.as_deref(),
        Some("10.0.0.101"),
        "DS-14"
    );
    assert_eq!(
        found.addresses.private_ipv4.as_deref(),
        Some("10.0.0.102"),
        "DS-14"
    );
    let network = found.network.unwrap();
    assert_eq!((network.links.len(), network.search.len()), (2, 2), "DS-14");
}

#[test]
fn invalid_addresses_are_reported() {
    let found = of(&[
        ("interface.0.name", "eth0"),
        ("interface.0.ip.0.address", "test address"),
        ("interface.0.route.0.gateway", "test gateway"),
    ])
    .unwrap();
    assert_eq!(
        found.problems,
        [
            "invalid gateway: \"test gateway\"",
            "invalid address: \"test address\""
        ],
        "VN-09 VN-11"
    );
}

#[test]
fn more_interfaces_by_the_references_ids() {
    let interfaces = |settings: &[(&str, &str)]| {
        let network = of(settings).unwrap().network;
        network.map(|network| network.to_cloud_config()["rancher"]["network"]["interfaces"].clone())
    };
    const MAC: &str = "00:11:22:33:44:55";
    for (id, settings, expected) in [
        (
            // Without a name, the key's number gives it.
            "VN-02",
            vec![("interface.0.dhcp", "yes")],
            json!({"eth0": {"dhcp": true}}),
        ),
        (
            "VN-03",
            vec![("interface.0.mac", MAC), ("interface.0.dhcp", "yes")],
            json!({"mac:00:11:22:33:44:55": {"dhcp": true}}),
        ),
        (
            "VN-04",
            vec![("interface.0.name", "eth0"), ("interface.0.dhcp", "yes")],
            json!({"eth0": {"dhcp": true}}),
        ),
        (
            "VN-05",
            vec![
                ("interface.0.mac", MAC),
                ("interface.0.ip.0.address", "10.0.0.100/24"),
                ("interface.0.route.0.gateway", "10.0.0.1"),
                ("interface.0.route.0.destination", "0.0.0.0/0"),
            ],
            json!({"mac:00:11:22:33:44:55": {"dhcp": false, "addresses": ["10.0.0.100/24"], "gateway": "10.0.0.1"}}),
        ),
        (
            "VN-12",
            vec![("interface.0.name", "eth0"), ("interface.0.dhcp", "no")],
            json!({"eth0": {"dhcp": false}}),
        ),
    ] {
        assert_eq!(interfaces(&settings), Some(expected), "{id}");
    }
    let found = of(&[("dns.server.0", "test dns")]).unwrap();
    assert_eq!(
        found.problems,
        ["invalid nameserver: \"test dns\""],
        "VN-07"
    );
    let found = of(&[("interface.0.name", "a"), ("interface.0.dhcp", "blah")]).unwrap();
    assert_eq!(found.problems, ["invalid DHCP option: \"blah\""], "VN-13");
}

#[test]
fn metadata_of_cloud_init() {
    let found = of(&[(
        "metadata",
        "local-hostname: box\ninstance-id: i-1\nnetwork: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n",
    )])
    .unwrap();
    assert_eq!(found.hostname.as_deref(), Some("box"));
    assert!(found.network.unwrap().links[0].dhcp);
    assert_eq!(of(&[]).unwrap(), InstanceData::default(), "VN-01");
}
