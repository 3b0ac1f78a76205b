//! Trees of files below a root, and what is loaded from them.

use super::{export, load, remember_good};
use std::fs;
use std::path::{Path, PathBuf};

struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("load-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let tree = Self(root);
        for (file, text) in files {
            tree.write(file, text);
        }
        tree
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn later_layers_win() {
    let tree = Tree::new(
        "order",
        &[
            (
                "usr/share/ros/os-config.yml",
                "hostname: a\nrancher: {debug: false, modules: [m]}",
            ),
            ("usr/share/ros/oem/oem-config.yml", "hostname: b"),
            (
                "var/lib/rancher/conf/cloud-config.d/boot.yml",
                "hostname: c\nssh_authorized_keys: [one]",
            ),
            (
                "var/lib/rancher/conf/cloud-config.d/user_config.yml",
                "hostname: d",
            ),
            ("var/lib/rancher/conf/cloud-config.d/.hidden", "hostname: x"),
            ("var/lib/rancher/conf/cloud-config.yml", "hostname: e"),
            ("proc/cmdline", "quiet rancher.debug cc.hostname=f"),
            (
                "var/lib/rancher/conf/metadata",
                "{Hostname: g, SSHPublicKeys: {k: two}}",
            ),
        ],
    );
    let loaded = load(tree.path());
    assert_eq!(loaded.problems, []);
    assert_eq!(loaded.config.hostname.as_deref(), Some("f"));
    assert_eq!(loaded.config.ssh_authorized_keys, ["one", "two"]);
    assert!(loaded.config.rancher.debug);
    assert_eq!(loaded.config.rancher.modules, ["m"]);
}

#[test]
fn a_broken_file_is_replaced_by_its_last_good_copy() {
    let tree = Tree::new(
        "good",
        &[("var/lib/rancher/conf/cloud-config.yml", "hostname: good")],
    );
    remember_good(tree.path());
    tree.write("var/lib/rancher/conf/cloud-config.yml", "hostname: [bad");
    tree.write("var/lib/rancher/conf/cloud-config.d/boot.yml", "\tx");
    remember_good(tree.path());
    let loaded = load(tree.path());
    assert_eq!(loaded.config.hostname.as_deref(), Some("good"));
    let said: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert!(
        said[0].starts_with("/var/lib/rancher/conf/cloud-config.d/boot.yml:1:")
            && said[0].ends_with("it is left out"),
        "{said:?}"
    );
    assert!(said[1].ends_with("its last good copy is used"), "{said:?}");
}

#[test]
fn a_wrong_value_costs_itself_only() {
    let tree = Tree::new(
        "value",
        &[
            (
                "var/lib/rancher/conf/cloud-config.yml",
                "hostname: [x]\nrancher: {debug: true}",
            ),
            ("proc/cmdline", "rancher.shutdown_timeout=soon"),
        ],
    );
    let loaded = load(tree.path());
    assert_eq!(loaded.config.hostname, None);
    assert!(loaded.config.rancher.debug);
    assert_eq!(loaded.config.rancher.shutdown_timeout, 60);
    assert_eq!(
        loaded
            .problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [
            "/var/lib/rancher/conf/cloud-config.yml:1:1: hostname: expected a text, found a list of 1",
            "kernel command line: rancher.shutdown_timeout: expected a number in range, found \"soon\"",
        ]
    );
}

#[test]
fn secrets_are_not_exported() {
    let tree = Tree::new(
        "export",
        &[(
            "var/lib/rancher/conf/cloud-config.yml",
            "rancher: {password: x, docker: {ca_key: y, tls: true}}",
        )],
    );
    let text = |private| serde_yaml::to_string(&export(tree.path(), false, private)).unwrap();
    assert_eq!(
        text(false),
        "rancher:\n  docker:\n    tls: true\nssh_authorized_keys: []\n"
    );
    assert!(text(true).contains("ca_key: y") && !text(true).contains("password"));
}
