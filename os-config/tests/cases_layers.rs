//! RancherOS's cases of merging, layers and metadata, by their ids (docs/compatibility-cases.md).

mod tree;

use os_config::document;
use os_config::load::{export, load};
use serde_yaml::Value;
use tree::Tree;

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

#[test]
fn merging() {
    for (id, left, right, expected) in [
        (
            "MG-01",
            "{a: 1, b: {c: 3}, d: \"4\", f: [1, 2, 3]}",
            "{b: {}, d: replaced, e: added, f: [2, 3, 4]}",
            "{a: 1, b: {c: 3}, d: replaced, f: [2, 3, 4], e: added}",
        ),
        (
            "MG-04",
            "{rancher: {key1: k1v0, key2: k2v0}}",
            "{rancher: {key1: k1value1}, hostname: somehost}",
            "{rancher: {key1: k1value1, key2: k2v0}, hostname: somehost}",
        ),
        (
            "MG-05",
            "{one: {two: true}}",
            "{one: {three: true}}",
            "{one: {two: true, three: true}}",
        ),
        (
            "MG-07",
            "{a: {x: 1}, b: [1], c: 1, d: s, e: null}",
            "{a: s, b: [], c: null, d: {y: 2}, e: 1}",
            "{a: s, b: [], c: 1, d: {y: 2}, e: 1}",
        ),
    ] {
        let read = |text: &str| document::parse(text.as_bytes()).unwrap();
        // MG-02, MG-03: merging copies; the origin does not change.
        let merged = document::merge(&read(left), &read(right));
        assert_eq!(merged, yaml(expected), "{id}");
    }
}

#[test]
fn typed_values_survive_the_file() {
    let tree = Tree::new(&[(
        "var/lib/rancher/conf/cloud-config.yml",
        b"rancher: {docker: {tls: true}}",
    )]);
    assert!(load(tree.path()).config.rancher.docker.tls, "MG-06");
    let text = serde_yaml::to_string(&export(tree.path(), false, true).value).unwrap();
    let tree = Tree::new(&[("var/lib/rancher/conf/cloud-config.yml", text.as_bytes())]);
    assert!(load(tree.path()).config.rancher.docker.tls, "MG-06");
}

#[test]
fn each_layer_counts_more_than_the_one_before() {
    let layers: [(&str, &[u8]); 6] = [
        ("usr/share/ros/os-config.yml", b"rancher: {console: image}"),
        (
            "usr/share/ros/oem/oem-config.yml",
            b"rancher: {console: oem}",
        ),
        (
            "var/lib/rancher/conf/cloud-config.d/a.yml",
            b"rancher: {console: a}",
        ),
        (
            "var/lib/rancher/conf/cloud-config.d/b.yml",
            b"rancher: {console: b}",
        ),
        (
            "var/lib/rancher/conf/cloud-config.yml",
            b"rancher: {console: stored}",
        ),
        ("proc/cmdline", b"quiet rancher.console=line"),
    ];
    for (count, expected) in ["image", "oem", "a", "b", "stored", "line"]
        .iter()
        .enumerate()
    {
        let tree = Tree::new(&layers[..=count]);
        assert_eq!(load(tree.path()).config.rancher.console, *expected, "LY-05");
    }
}

#[test]
fn metadata() {
    for (id, user, metadata, hostname, keys) in [
        ("MD-02", "", "", None, &[][..]),
        (
            "MD-05",
            "",
            "{Hostname: md-host, SSHPublicKeys: {key: ghi}}",
            Some("md-host"),
            &["ghi"],
        ),
        (
            "MD-09",
            "{hostname: cc-host, manage_etc_hosts: lolz}",
            "{Hostname: md-host}",
            Some("cc-host"),
            &[],
        ),
    ] {
        let tree = Tree::new(&[
            ("var/lib/rancher/conf/cloud-config.yml", user.as_bytes()),
            ("var/lib/rancher/conf/metadata", metadata.as_bytes()),
        ]);
        let config = load(tree.path()).config;
        assert_eq!(config.hostname.as_deref(), hostname, "{id}");
        assert_eq!(config.ssh_authorized_keys, keys, "{id}");
    }
}

#[test]
fn private_keys_stay_out_of_an_export() {
    let text = b"ssh_authorized_keys: [pubk1, pubk2]\nhostname: ros-test\nrancher:\n  ssh: {keys: {dsa: dsa-test1, dsa-pub: dsa-test2}}\n  \
        docker: {ca_key: ca_key-test3, ca_cert: ca_cert-test4, extra_args: [args_test5]}\n";
    let tree = Tree::new(&[("var/lib/rancher/conf/cloud-config.yml", text)]);
    assert_eq!(
        export(tree.path(), false, false).value,
        yaml("{hostname: ros-test, ssh_authorized_keys: [pubk1, pubk2]}"),
        "FK-01: and no empty rancher.ssh"
    );
    let private = serde_yaml::to_string(&export(tree.path(), false, true).value).unwrap();
    for expected in ["dsa-test1", "dsa-test2", "ca_key-test3", "ca_cert-test4"] {
        assert!(private.contains(expected), "EX-02 {expected}");
    }
}

#[test]
fn secrets_of_the_kernel_line_stay_out_of_an_export() {
    let tree = Tree::new(&[(
        "proc/cmdline",
        b"rancher.password=three rancher.autologin=tty1 cc.something=yes rancher.environment.A=b",
    )]);
    for private in [false, true] {
        let text = serde_yaml::to_string(&export(tree.path(), false, private).value).unwrap();
        assert!(
            !text.contains("three") && !text.contains("autologin"),
            "EX-05 {text}"
        );
    }
}

#[test]
fn included_services_stand_below_what_the_user_says() {
    let tree = Tree::new(&[
        (
            "usr/share/ros/services/web.yml",
            b"web: {image: catalogue, restart: always, labels: {a: b}}",
        ),
        ("srv/more.yml", b"version: '3'\nservices:\n  db: {image: db, ports: [1]}\n  bad: {imag: x}\n"),
        (
            "var/lib/rancher/conf/cloud-config.yml",
            b"rancher:\n  services_include: {web: true, /srv/more.yml: true, off: false, ../../etc/passwd: true}\n  services: {web: {image: mine}}\n",
        ),
    ]);
    let loaded = load(tree.path());
    let services = &loaded.config.rancher.services;
    assert_eq!(services["web"].image, "mine");
    assert_eq!(services["web"].restart.as_deref(), Some("always"));
    assert_eq!(services["db"].ports, ["1"]);
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert!(
        problems
            .iter()
            .any(|p| p
                .starts_with("/srv/more.yml:4:9: warning: rancher.services.bad.imag: unknown key")),
        "{problems:?}"
    );
    assert!(
        problems.iter().any(|p| p
            .contains("rancher.services_include.../../etc/passwd: there is no such file")),
        "{problems:?}"
    );
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn a_vendors_unknown_keys_are_not_the_users_problem() {
    let text: &[u8] = b"manage_etc_hosts: true\nhostname: vendor\nrancher: {debug: maybe}\n";
    for (file, count) in [
        ("boot-vendor.yml", 1),
        ("boot-vendor_02.yml", 1),
        ("boot.yml", 2),
    ] {
        let path = format!("var/lib/rancher/conf/cloud-config.d/{file}");
        let tree = Tree::new(&[(path.as_str(), text)]);
        let loaded = load(tree.path());
        assert_eq!(
            loaded.problems.len(),
            count,
            "{file}: {:?}",
            loaded.problems
        );
        assert_eq!(loaded.config.hostname.as_deref(), Some("vendor"));
    }
}
