//! `rancher.agent`: the short form of a Rancher agent, which becomes a service of User Docker.
//!
//! Version 1 registers with one address, `http://server/v1/scripts/TOKEN` (Rancher 1.6's documentation,
//! "Adding Custom Hosts"); version 2 with server, token and roles (Rancher's documentation, "Registering
//! existing nodes").

use std::collections::BTreeMap;

use serde_yaml::Value;

use crate::compose::service::Service;
use crate::reader::Reader;
use crate::reader::findings::Findings;

/// The name of the service. It is not `rancher-agent`, because version 1 makes a container of that name itself.
pub(crate) const SERVICE: &str = "agent";
const IMAGE_1: &str = "rancher/agent:v1.2.11";
const IMAGE_2: &str = "rancher/rancher-agent:v2.8.5";
const ADDRESS: &str = "the address that the server shows, http://…";
const ROLES: [&str; 4] = ["all", "controlplane", "etcd", "worker"];

/// The settings of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// The address to register at (version 1), or the server's address (version 2).
    pub url: String,
    pub token: Option<String>,
    pub ca_checksum: Option<String>,
    pub image: Option<String>,
    /// The machine's address for the server.
    pub ip: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub roles: Vec<String>,
}

impl Agent {
    /// `None` if there is no agent, or if its settings are wrong.
    pub(crate) fn read(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<Self> {
        let is_there = reader.value("agent").is_some();
        let mut section = reader.section("agent", findings);
        let agent = Self {
            url: section.text("url", findings).unwrap_or_default(),
            token: section.text("token", findings),
            ca_checksum: section.text("ca_checksum", findings),
            image: section.text("image", findings),
            ip: section.text("ip", findings),
            labels: section.map("labels", findings),
            roles: section.list("roles", findings),
        };
        let path = |key: &str| format!("{}.{key}", reader.path_of("agent"));
        section.finish(findings);
        if !is_there {
            return None;
        }
        let is_address = agent.url.starts_with("http://") || agent.url.starts_with("https://");
        if !agent.url.is_empty() && !is_address {
            let found = Value::String(agent.url.clone());
            return findings.mismatch(&path("url"), ADDRESS, &found);
        }
        if let Some(role) = agent
            .roles
            .iter()
            .find(|role| !ROLES.contains(&role.as_str()))
        {
            let found = Value::String(role.clone());
            return findings.mismatch(&path("roles"), "all, controlplane, etcd or worker", &found);
        }
        Some(agent)
    }

    /// Whether the agent has all that it needs; reports a missing key. Only the merged layers must be complete.
    pub(crate) fn check(&self, findings: &mut Findings) -> bool {
        if self.url.is_empty() {
            findings.mismatch::<()>("rancher.agent.url", ADDRESS, &Value::Null);
        } else if !self.is_version_1() && self.token.is_none() {
            let expected = "the token that the server shows with its command";
            findings.mismatch::<()>("rancher.agent.token", expected, &Value::Null);
        } else {
            return true;
        }
        false
    }

    /// Version 1 needs only an address, with a path below `/v1/`.
    fn is_version_1(&self) -> bool {
        self.url.contains("/v1/")
    }

    /// The service that starts the agent. Docker restarts it while the server is unreachable.
    pub(crate) fn service(&self) -> Service {
        let volumes = [
            "/var/run/docker.sock:/var/run/docker.sock",
            "/var/lib/rancher:/var/lib/rancher",
        ];
        let common = Service {
            privileged: true,
            volumes: volumes.map(str::to_owned).into(),
            ..Service::default()
        };
        if self.is_version_1() {
            self.version_1(common)
        } else {
            self.version_2(common)
        }
    }

    fn version_1(&self, common: Service) -> Service {
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let ip = self.ip.as_ref().map(|ip| format!("CATTLE_AGENT_IP={ip}"));
        let labels =
            (!labels.is_empty()).then(|| format!("CATTLE_HOST_LABELS={}", labels.join("&")));
        Service {
            image: self.image.clone().unwrap_or_else(|| IMAGE_1.to_owned()),
            command: vec![self.url.clone()],
            environment: ip.into_iter().chain(labels).collect(),
            // This container ends when it has started the agent itself.
            restart: Some("on-failure".to_owned()),
            ..common
        }
    }

    fn version_2(&self, common: Service) -> Service {
        let mut command = vec!["--server".to_owned(), self.url.clone()];
        let mut add = |flag: &str, value: Option<&String>| {
            if let Some(value) = value {
                command.extend([flag.to_owned(), value.clone()]);
            }
        };
        add("--token", self.token.as_ref());
        add("--ca-checksum", self.ca_checksum.as_ref());
        add("--address", self.ip.as_ref());
        for (key, value) in &self.labels {
            add("--label", Some(&format!("{key}={value}")));
        }
        let all = self.roles.iter().any(|role| role == "all");
        let roles = ROLES.iter().skip(1);
        let wanted = roles.filter(|role| all || self.roles.iter().any(|known| known == *role));
        command.extend(wanted.map(|role| format!("--{role}")));
        let mut volumes = common.volumes.clone();
        volumes.extend(["/etc/kubernetes:/etc/kubernetes", "/var/run:/var/run"].map(str::to_owned));
        Service {
            image: self.image.clone().unwrap_or_else(|| IMAGE_2.to_owned()),
            command,
            volumes,
            net: Some("host".to_owned()),
            restart: Some("unless-stopped".to_owned()),
            ..common
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{self, Config};
    use crate::load::expand;
    use crate::reader::findings::Findings;

    fn read(agent: &str) -> (Config, Vec<String>) {
        config::read(&format!("rancher: {{agent: {agent}}}"))
    }

    #[test]
    fn version_1() {
        let (config, problems) = read(
            "{url: 'http://r:8080/v1/scripts/T:1:x', ip: 10.0.0.5, labels: {zone: a, disk: ssd}}",
        );
        assert_eq!(problems, [""; 0]);
        let service = config.rancher.agent.unwrap().service();
        assert_eq!(service.image, "rancher/agent:v1.2.11");
        assert_eq!(service.command, ["http://r:8080/v1/scripts/T:1:x"]);
        assert_eq!(
            service.environment,
            [
                "CATTLE_AGENT_IP=10.0.0.5",
                "CATTLE_HOST_LABELS=disk=ssd&zone=a"
            ]
        );
        assert!(service.privileged);
        assert_eq!(
            service.volumes[0],
            "/var/run/docker.sock:/var/run/docker.sock"
        );
        assert_eq!(service.restart.as_deref(), Some("on-failure"));
    }

    #[test]
    fn version_2() {
        let (config, problems) = read(
            "{url: 'https://r', token: t, ca_checksum: c, image: mine, ip: 10.0.0.5, labels: {a: b}, roles: [worker, etcd]}",
        );
        assert_eq!(problems, [""; 0]);
        let service = config.rancher.agent.unwrap().service();
        assert_eq!(service.image, "mine");
        assert_eq!(
            service.command.join(" "),
            "--server https://r --token t --ca-checksum c --address 10.0.0.5 --label a=b --etcd --worker"
        );
        let (config, _) = read("{url: 'https://r', token: t, roles: all}");
        let command = config.rancher.agent.unwrap().service().command.join(" ");
        assert!(
            command.ends_with("--controlplane --etcd --worker"),
            "{command}"
        );
    }

    #[test]
    fn missing_keys_are_reported_for_merged_layers_only() {
        for (text, expected) in [
            ("{token: t}", Some("rancher.agent.url")),
            ("{url: 'https://r'}", Some("rancher.agent.token")),
            ("{url: 'https://r', token: t}", None),
            ("{url: 'http://r/v1/scripts/x'}", None),
        ] {
            let (mut config, problems) = read(text);
            assert_eq!(problems, [""; 0], "{text}");
            let mut missing = Findings::default();
            expand::add_agent(&mut config.rancher, &mut missing);
            assert_eq!(
                missing.list.first().map(|found| found.key_path.as_str()),
                expected,
                "{text}"
            );
            assert_eq!(
                config.rancher.services.contains_key("agent"),
                expected.is_none(),
                "{text}"
            );
        }
    }

    #[test]
    fn an_agent_that_cannot_register_is_reported() {
        for (text, expected) in [
            (
                "{url: r}",
                "rancher.agent.url: expected the address that the server shows",
            ),
            (
                "{url: 'https://r', token: t, roles: [boss]}",
                "rancher.agent.roles: expected all, controlplane",
            ),
            (
                "{url: 'http://r/v1/x', tokn: t}",
                "rancher.agent.tokn: unknown key",
            ),
        ] {
            let (_, problems) = read(text);
            assert!(problems[0].starts_with(expected), "{text}: {problems:?}");
        }
    }
}
