//! Sources whose address the configuration, the kernel line or the firmware names.

use std::time::Duration;

use crate::mock::Mock;
use crate::query::{ask, interfaces, some};
use cloud_init_rs::sources::find;
use cloud_init_rs::{Client, Firmware, Query};
use serde_json::json;

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
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("user-data");
    std::fs::write(&path, "#cloud-config\n").unwrap();
    let data = ask("file", path.to_str().unwrap()).unwrap().unwrap();
    assert_eq!(data.user_data, b"#cloud-config\n");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ask("file", path.to_str().unwrap()).unwrap(), None);
}
