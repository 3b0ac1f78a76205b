//! Reads the layers of the configuration below a root and merges them.
//!
//! Nothing fails here: a layer that cannot be read is replaced by its last good copy or left out, and
//! the problem is returned beside the configuration that the rest makes.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};

use crate::cmdline;
use crate::config::Config;
use crate::document;
use crate::dotted;
use crate::merge::merge;
use crate::problem::{Problem, Severity};
use crate::validate::validate;

const DEFAULTS: &str = "usr/share/ros/os-config.yml";
const OEM: &str = "usr/share/ros/oem/oem-config.yml";
const FOLDER: &str = "var/lib/rancher/conf/cloud-config.d";
const STORED: &str = "var/lib/rancher/conf/cloud-config.yml";
const METADATA: &str = "var/lib/rancher/conf/metadata";
const LAST_GOOD: &str = "var/lib/rancher/conf/last-good";
const CMDLINE: &str = "proc/cmdline";
const KERNEL_LINE: &str = "kernel command line";

/// The configuration and what was wrong with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// The merged layers, untyped.
    pub value: Value,
    pub problems: Vec<Problem>,
}

/// Loads everything below `root`.
pub fn load(root: &Path) -> Loaded {
    let mut problems = Vec::new();
    let mut value = empty();
    for file in [DEFAULTS, OEM] {
        value = merge(value, layer(root, Path::new(file), &mut problems));
    }
    for file in user_files(root) {
        value = merge(value, layer(root, &file, &mut problems));
    }
    value = merge(value, kernel_line(root, &mut problems));
    add_metadata(
        &mut value,
        &layer(root, Path::new(METADATA), &mut Vec::new()),
    );
    let (config, _) = Config::read(&value);
    Loaded {
        config,
        value,
        problems,
    }
}

/// The user's part of the configuration, with the image's defaults if `full`. Keys and passwords that
/// nobody should paste into a forum are left out, certificates only unless `private`.
pub fn export(root: &Path, full: bool, private: bool) -> Value {
    let mut problems = Vec::new();
    let mut value = empty();
    if full {
        for file in [DEFAULTS, OEM] {
            value = merge(value, layer(root, Path::new(file), &mut problems));
        }
    }
    for file in user_files(root) {
        value = merge(value, layer(root, &file, &mut problems));
    }
    value = merge(value, kernel_line(root, &mut problems));
    let mut hidden = vec![
        "rancher.password",
        "rancher.autologin",
        "rancher.environment.EXTRA_CMDLINE",
    ];
    if !private {
        hidden.extend([
            "rancher.ssh",
            "rancher.docker.ca_key",
            "rancher.docker.ca_cert",
            "rancher.docker.server_key",
            "rancher.docker.server_cert",
        ]);
    }
    for key in hidden {
        remove(&mut value, key);
    }
    value
}

/// Keeps a copy of every user's file that could be read, for the day when it cannot.
pub fn remember_good(root: &Path) {
    for file in user_files(root) {
        let Ok(bytes) = read_bounded(&root.join(&file)) else {
            continue;
        };
        let copy = copy_of(root, &file);
        let known = fs::read(&copy).is_ok_and(|found| found == bytes);
        // What cannot be kept is only missing later, and that is said then.
        if !known && document::parse(&bytes).is_ok() {
            let _ = write_whole(&copy, &bytes);
        }
    }
}

fn empty() -> Value {
    Value::Mapping(Mapping::new())
}

/// `cloud-config.d/*` by name, without dot files, then `cloud-config.yml`.
fn user_files(root: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(root.join(FOLDER))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry.path().is_file() && !entry.file_name().to_string_lossy().starts_with('.')
        })
        .map(|entry| Path::new(FOLDER).join(entry.file_name()))
        .collect();
    names.sort();
    names.push(STORED.into());
    names
}

fn layer(root: &Path, file: &Path, problems: &mut Vec<Problem>) -> Value {
    let name = format!("/{}", file.display());
    let problem = |message: String, position| Problem {
        file: name.clone(),
        position,
        key_path: String::new(),
        message,
        severity: Severity::Error,
    };
    let bytes = match read_bounded(&root.join(file)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return empty(),
        Err(error) => {
            problems.push(problem(format!("it cannot be read: {error}"), None));
            return empty();
        }
    };
    match document::parse(&bytes) {
        Ok(document) => {
            problems.extend(validate(&bytes, &name));
            document.value
        }
        Err(unusable) => {
            let good = read_bounded(&copy_of(root, file))
                .ok()
                .and_then(|bytes| document::parse(&bytes).ok());
            let instead = if good.is_some() {
                "its last good copy is used"
            } else {
                "it is left out"
            };
            problems.push(problem(
                format!("{}; {instead}", unusable.message),
                unusable.position,
            ));
            good.map_or_else(empty, |document| document.value)
        }
    }
}

fn kernel_line(root: &Path, problems: &mut Vec<Problem>) -> Value {
    let line = fs::read(root.join(CMDLINE)).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let (value, refused) = cmdline::parse(line.trim_end());
    let problem = |key_path: String, message: String, severity| Problem {
        file: KERNEL_LINE.to_owned(),
        position: None,
        key_path,
        message,
        severity,
    };
    problems.extend(
        refused
            .into_iter()
            .map(|text| problem(String::new(), text, Severity::Error)),
    );
    let (_, findings) = Config::read(&value);
    problems.extend(
        findings
            .into_iter()
            .map(|found| problem(found.path, found.message, found.severity)),
    );
    value
}

/// What a data source says of the machine is weaker than what its owner says: the host name counts
/// only where there is none, and keys are added.
fn add_metadata(value: &mut Value, metadata: &Value) {
    let text = |key: &str| {
        dotted::get(metadata, key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    if let Some(name) = text("Hostname")
        && dotted::get(value, "hostname").is_none_or(Value::is_null)
    {
        let _ = dotted::set(value, "hostname", Value::from(name));
    }
    let found: Vec<Value> = match dotted::get(metadata, "SSHPublicKeys") {
        Some(Value::Mapping(keys)) => keys.values().cloned().collect(),
        Some(Value::Sequence(keys)) => keys.clone(),
        _ => Vec::new(),
    };
    if found.is_empty() {
        return;
    }
    let mut keys = match dotted::get(value, "ssh_authorized_keys") {
        Some(Value::Sequence(keys)) => keys.clone(),
        Some(Value::String(key)) => vec![Value::from(key.as_str())],
        _ => Vec::new(),
    };
    keys.extend(found);
    let _ = dotted::set(value, "ssh_authorized_keys", Value::Sequence(keys));
}

fn remove(value: &mut Value, key: &str) {
    let mut place = value;
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        let Value::Mapping(entries) = place else {
            return;
        };
        if parts.peek().is_none() {
            entries.remove(part);
            return;
        }
        let Some(next) = entries.get_mut(part) else {
            return;
        };
        place = next;
    }
}

fn copy_of(root: &Path, file: &Path) -> PathBuf {
    root.join(LAST_GOOD)
        .join(file.file_name().unwrap_or_default())
}

/// Reads a little more than the largest document: enough to see that it is too large.
fn read_bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(file)?
        .take(document::LARGEST as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write_whole(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = file.with_extension("new");
    let mut out = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(temporary, file)
}

#[cfg(test)]
mod tests {
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
        assert_eq!(text(false), "rancher:\n  docker:\n    tls: true\n");
        assert!(text(true).contains("ca_key: y") && !text(true).contains("password"));
    }
}
