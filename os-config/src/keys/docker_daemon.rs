//! Settings of a Docker daemon (`rancher.docker`, `rancher.system_docker`) and dockerd's arguments.

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::keys::network::Network;
use crate::reader::Reader;
use crate::reader::findings::Findings;

/// Settings of one daemon, with RancherOS's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonOptions {
    /// Options with one value: configuration key → value.
    pub options: BTreeMap<&'static str, String>,
    /// Switches: configuration key → state.
    pub switches: BTreeMap<&'static str, bool>,
    pub host: Vec<String>,
    pub insecure_registry: Vec<String>,
    pub registry_mirror: Vec<String>,
    pub log_opts: BTreeMap<String, String>,
    pub extra_args: Vec<String>,
    pub tls: bool,
    pub tls_args: Vec<String>,
    pub ca_cert: Option<String>,
    pub ca_key: Option<String>,
    pub server_cert: Option<String>,
    pub server_key: Option<String>,
    /// `KEY=value` for the daemon.
    pub environment: BTreeMap<String, String>,
    /// The engine's image or version, such as `docker-26.1.5`.
    pub engine: Option<String>,
}

/// Configuration key and dockerd's flag, for options with a value.
const OPTIONS: [(&str, &str); 13] = [
    ("bip", "bip"),
    ("bridge", "bridge"),
    ("config_file", "config-file"),
    ("containerd", "containerd"),
    ("data_root", "data-root"),
    ("exec_root", "exec-root"),
    ("graph", "data-root"),
    ("group", "group"),
    ("log_driver", "log-driver"),
    ("pid_file", "pidfile"),
    ("storage_driver", "storage-driver"),
    ("userns_remap", "userns-remap"),
    ("cgroup_parent", "cgroup-parent"),
];

/// Configuration key and dockerd's flag, for switches.
const SWITCHES: [(&str, &str); 5] = [
    ("debug", "debug"),
    ("live_restore", "live-restore"),
    ("selinux_enabled", "selinux-enabled"),
    ("userland_proxy", "userland-proxy"),
    ("userns_enabled", ""),
];

/// RancherOS handed `restart` to dockerd as a flag, which current versions lack.
const RESTART: &str = "dockerd has no such option any more: each container has a restart policy of its own \
                       (`docker run --restart=…`)";

impl DaemonOptions {
    pub(crate) fn read(reader: &mut Reader<'_>, findings: &mut Findings) -> Self {
        let mut daemon = Self::default();
        for (key, _) in OPTIONS {
            if let Some(text) = reader.text(key, findings).filter(|text| !text.is_empty()) {
                daemon.options.insert(key, text);
            }
        }
        for (key, _) in SWITCHES {
            if let Some(state) = reader.boolean(key, findings) {
                daemon.switches.insert(key, state);
            }
        }
        reader.legacy(&["exec", "storage_context"]);
        reader.obsolete("args", "`extra_args` has the options of dockerd");
        reader.obsolete("restart", RESTART);
        daemon.host = reader.list("host", findings);
        daemon.insecure_registry = reader.list("insecure_registry", findings);
        daemon.registry_mirror = reader.list("registry_mirror", findings);
        daemon.log_opts = reader.map("log_opts", findings);
        daemon.extra_args = reader.list("extra_args", findings);
        daemon.tls = reader.boolean("tls", findings).unwrap_or(false);
        daemon.tls_args = reader.list("tls_args", findings);
        daemon.ca_cert = reader.text("ca_cert", findings);
        daemon.ca_key = reader.text("ca_key", findings);
        daemon.server_cert = reader.text("server_cert", findings);
        daemon.server_key = reader.text("server_key", findings);
        daemon.environment = reader.map("environment", findings);
        daemon.engine = reader.text("engine", findings);
        daemon
    }
}

/// The environment of dockerd, as `KEY=value`: the machine's proxies and what the configuration adds.
pub fn environment(daemon: &DaemonOptions, network: &Network) -> Vec<String> {
    let own = daemon
        .environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    network
        .proxy_variables()
        .chain(own)
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

/// The configuration key of one of the flags that [`dockerd_args`] makes of keys.
pub fn key_of(flag: &str) -> String {
    let mut keys = OPTIONS.iter().chain(&SWITCHES);
    let key = keys.find(|(key, known)| *known == flag && *key != "graph");
    match (key, flag) {
        (Some((key, _)), _) => (*key).to_owned(),
        (None, "log-opt") => "log_opts".to_owned(),
        (None, flag) => flag.replace('-', "_"),
    }
}

/// dockerd's arguments: options, then `extra_args`, then `tls_args` if TLS is on. The order never changes.
pub fn dockerd_args(daemon: &DaemonOptions) -> Vec<String> {
    let mut arguments = Vec::new();
    for (key, flag) in OPTIONS {
        // `graph` is the older name: `data_root` overrides it.
        if key == "graph" && daemon.options.contains_key("data_root") {
            continue;
        }
        if let Some(value) = daemon.options.get(key) {
            arguments.push(format!("--{flag}={value}"));
        }
    }
    for (key, flag) in SWITCHES {
        match daemon.switches.get(key) {
            Some(true) if key == "userns_enabled" => {
                arguments.push("--userns-remap=user-docker:user-docker".to_owned());
            }
            Some(state) if !flag.is_empty() => arguments.push(format!("--{flag}={state}")),
            _ => {}
        }
    }
    for (flag, values) in [
        ("host", &daemon.host),
        ("insecure-registry", &daemon.insecure_registry),
        ("registry-mirror", &daemon.registry_mirror),
    ] {
        arguments.extend(non_empty(values).map(|value| format!("--{flag}={value}")));
    }
    let log_opts = daemon
        .log_opts
        .iter()
        .filter(|(_, value)| !value.is_empty());
    arguments.extend(log_opts.map(|(key, value)| format!("--log-opt={key}={value}")));
    arguments.extend(non_empty(&daemon.extra_args).cloned());
    if daemon.tls {
        arguments.extend(non_empty(&daemon.tls_args).cloned());
    }
    arguments
}

/// An empty text removes a default.
fn non_empty(values: &[String]) -> impl Iterator<Item = &String> {
    values.iter().filter(|value| !value.is_empty())
}

/// Reads the settings at `path`. Values are not checked: dockerd judges them, because the keys of daemon.json are
/// dockerd's.
pub(crate) fn daemon_options(value: &Value, path: &str, findings: &mut Findings) -> DaemonOptions {
    let mut reader = Reader::new(value, path, findings);
    reader.allows_single_values = true;
    reader.elsewhere = "`extra_args` takes every option of dockerd";
    let daemon = DaemonOptions::read(&mut reader, findings);
    reader.finish(findings);
    daemon
}

#[cfg(test)]
mod tests {
    use super::{DaemonOptions, daemon_options, dockerd_args, environment};
    use crate::keys::network::Network;
    use crate::reader::findings::Findings;

    #[test]
    fn the_reference_by_its_ids() {
        for (id, yaml, expected) in [
            ("DA-01", "{}", &[][..]),
            ("DA-02", "{host: ['']}", &[]),
            ("DA-03", "{log_opts: {max-file: ''}}", &[]),
            ("DA-04", "{bridge: bridge}", &["--bridge=bridge"]),
            (
                "DA-05",
                "{selinux_enabled: true}",
                &["--selinux-enabled=true"],
            ),
            (
                "DA-06",
                "{selinux_enabled: false}",
                &["--selinux-enabled=false"],
            ),
            (
                "DA-07",
                "{host: [unix:///var/run/system-docker.sock, unix:///var/run/docker.sock]}",
                &[
                    "--host=unix:///var/run/system-docker.sock",
                    "--host=unix:///var/run/docker.sock",
                ],
            ),
            (
                "DA-08",
                "{log_opts: {max-size: 25m, max-file: '2'}}",
                &["--log-opt=max-file=2", "--log-opt=max-size=25m"],
            ),
            (
                "DA-09",
                "{bridge: bridge, selinux_enabled: true, log_opts: {max-size: 25m}}",
                &[
                    "--bridge=bridge",
                    "--selinux-enabled=true",
                    "--log-opt=max-size=25m",
                ],
            ),
        ] {
            let value = serde_yaml::from_str(yaml).unwrap();
            assert_eq!(
                dockerd_args(&daemon_options(&value, "e", &mut Findings::default())),
                expected,
                "{id}"
            );
        }
    }

    #[test]
    fn arguments() {
        for (yaml, expected) in [
            (
                "{bridge: none, live_restore: yes, graph: /a, data_root: /b}",
                vec!["--bridge=none", "--data-root=/b", "--live-restore=true"],
            ),
            (
                "{graph: /a, host: 'unix:///x'}",
                vec!["--data-root=/a", "--host=unix:///x"],
            ),
            (
                "{registry_mirror: 'http://m', insecure_registry: [a, b], log_opts: {max-size: 25m, max-file: 2}}",
                vec![
                    "--insecure-registry=a",
                    "--insecure-registry=b",
                    "--registry-mirror=http://m",
                    "--log-opt=max-file=2",
                    "--log-opt=max-size=25m",
                ],
            ),
            (
                "{tls: false, tls_args: [--tlsverify], extra_args: [--x]}",
                vec!["--x"],
            ),
            (
                "{tls: true, tls_args: [--tlsverify], extra_args: [--x]}",
                vec!["--x", "--tlsverify"],
            ),
        ] {
            let mut findings = Findings::default();
            let daemon = daemon_options(
                &serde_yaml::from_str(yaml).unwrap(),
                "rancher.docker",
                &mut findings,
            );
            assert_eq!(dockerd_args(&daemon), expected, "{yaml}");
            assert_eq!(findings.list, [], "{yaml}");
        }
    }

    #[test]
    fn an_engine_finds_the_proxies_in_its_environment() {
        let mut daemon = DaemonOptions::default();
        let mut network = Network::default();
        assert_eq!(environment(&daemon, &network), [""; 0]);
        network.https_proxy = Some("http://p:3128".into());
        network.no_proxy = Some("localhost".into());
        daemon.environment.insert("COW".into(), "moo".into());
        assert_eq!(
            environment(&daemon, &network),
            ["HTTPS_PROXY=http://p:3128", "NO_PROXY=localhost", "COW=moo"]
        );
    }
}
