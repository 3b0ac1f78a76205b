//! `rancher.engines`: extra engines beside User Docker. Each is a system service made from User Docker's, with its own
//! data root, socket and network.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_yaml::Value;

use crate::compose::service::Service;
use crate::paths::USER_DOCKER_RUN;
use crate::reader::Reader;
use crate::reader::findings::Findings;
use crate::switchable::Switchable;

/// RancherOS's labels of an extra engine.
pub const LABEL_NAME: &str = "io.rancher.user_docker.name";
pub const LABEL_ADDRESS: &str = "io.rancher.user_docker.fix_ip";
/// The network of engines without `network`.
pub const NETWORK: &str = "engines";

/// One extra engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtraEngine {
    /// The engine's image; `None` means User Docker's.
    pub image: Option<String>,
    /// A network of System Docker, which `ros` makes if it is missing.
    pub network: Option<String>,
    /// Its address in that network.
    pub fixed_ip: Option<Ipv4Addr>,
}

impl ExtraEngine {
    /// The name of its service and container.
    pub fn service_name(name: &str) -> String {
        format!("docker-{name}")
    }

    /// The path of its socket.
    pub fn socket(name: &str) -> String {
        format!("{}/docker.sock", run_folder(name))
    }

    /// The folder with its images, containers and volumes, on the state filesystem.
    pub fn data_root(name: &str) -> String {
        format!("/var/lib/m-user-docker/{name}")
    }

    /// The name of its network.
    pub fn network(&self) -> &str {
        self.network.as_deref().unwrap_or(NETWORK)
    }

    /// Its service: User Docker's, with its own image, network, volumes and labels.
    fn service(&self, name: &str, user_docker: &Service) -> Service {
        let mut service = user_docker.clone();
        if let Some(image) = &self.image {
            service.image.clone_from(image);
        }
        service.net = Some(self.network().to_owned());
        // Extra engines do not share User Docker's data or sockets.
        service.command.push("--extra-engine".to_owned());
        // User Docker has its data in the machine's folder.
        let data = format!("/state{}:/var/lib/docker", Self::data_root(name));
        service.volumes = user_docker
            .volumes
            .iter()
            .filter_map(|volume| {
                let target = volume.split(':').nth(1).unwrap_or_default();
                match target {
                    USER_DOCKER_RUN => Some(format!("{}:{target}", run_folder(name))),
                    "/var/log" => Some(format!("/var/log/docker-{name}:{target}")),
                    // An extra engine has another name and address than the machine.
                    "/etc/hosts" | "/etc/hostname" => None,
                    _ => Some(volume.clone()),
                }
            })
            .chain([data])
            .collect();
        let labels = &mut service.labels;
        labels.remove(Switchable::Engine.label());
        labels.insert(LABEL_NAME.to_owned(), name.to_owned());
        labels.insert(
            "io.rancher.os.after".to_owned(),
            Switchable::Engine.service().to_owned(),
        );
        if let Some(address) = self.fixed_ip {
            labels.insert(LABEL_ADDRESS.to_owned(), address.to_string());
        }
        service
    }
}

/// The folder with the socket, which is `/run/user-docker` in the engine's container.
fn run_folder(name: &str) -> String {
    format!("{USER_DOCKER_RUN}-{name}")
}

/// Whether an engine can have this name, which becomes a part of paths and of a command.
pub fn is_name(name: &str) -> bool {
    let mut letters = name.bytes();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric())
        && name.len() <= 32
        && letters.all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}

/// Name → engine.
pub(crate) fn engines(
    reader: &mut Reader<'_>,
    findings: &mut Findings,
) -> BTreeMap<String, ExtraEngine> {
    let base = reader.path_of("engines");
    let mut engines = BTreeMap::new();
    for (name, value) in reader.entries("engines", findings) {
        let path = format!("{base}.{name}");
        let mut section = Reader::new(value, &path, findings);
        let engine = ExtraEngine {
            image: section.text("image", findings),
            network: section.text("network", findings),
            fixed_ip: address(&mut section, findings),
        };
        section.finish(findings);
        if is_name(&name) {
            engines.insert(name, engine);
        } else {
            let expected = "a name of letters, digits, hyphens and underscores";
            findings.mismatch::<()>(&base, expected, &Value::String(name));
        }
    }
    engines
}

fn address(reader: &mut Reader<'_>, findings: &mut Findings) -> Option<Ipv4Addr> {
    let text = reader.text("fixed_ip", findings)?;
    let path = reader.path_of("fixed_ip");
    text.parse().ok().or_else(|| {
        let found = Value::String(text);
        findings.mismatch(&path, "an address such as 10.0.0.5", &found)
    })
}

/// The services of all engines, by their names.
pub(crate) fn services(
    engines: &BTreeMap<String, ExtraEngine>,
    user_docker: &Service,
) -> Vec<(String, Service)> {
    engines
        .iter()
        .map(|(name, engine)| {
            let service = engine.service(name, user_docker);
            (ExtraEngine::service_name(name), service)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::is_name;
    use crate::config::read;
    use crate::load::expand;

    #[test]
    fn an_extra_engine_has_its_own_of_everything() {
        let (mut config, problems) = read(
            "rancher: {engines: {blue: {fixed_ip: 10.1.2.3}, red: {image: e, network: n}}, services: {docker: {image: d,\
             net: host, volumes: ['/etc:/etc', '/etc/hosts:/etc/hosts', '/run/user-docker:/run/user-docker',\
             '/state/var/lib:/var/lib:rslave', '/var/log:/var/log']}}}",
        );
        assert_eq!(problems, [""; 0]);
        expand::add_extra_engines(&mut config.rancher);
        let services = &config.rancher.services;
        let blue = &services["docker-blue"];
        assert_eq!(
            (blue.image.as_str(), blue.net.as_deref()),
            ("d", Some("engines"))
        );
        assert_eq!(
            blue.volumes,
            [
                "/etc:/etc",
                "/run/user-docker-blue:/run/user-docker",
                "/state/var/lib:/var/lib:rslave",
                "/var/log/docker-blue:/var/log",
                "/state/var/lib/m-user-docker/blue:/var/lib/docker"
            ]
        );
        assert_eq!(blue.labels[super::LABEL_ADDRESS], "10.1.2.3");
        let red = &services["docker-red"];
        assert_eq!((red.image.as_str(), red.net.as_deref()), ("e", Some("n")));
    }

    #[test]
    fn wrong_extra_engines_are_reported() {
        for (yaml, expected) in [
            (
                "{a/b: {}}",
                "rancher.engines: expected a name of letters, digits, hyphens and underscores, found \"a/b\"",
            ),
            (
                "{a: {fixed_ip: 10.1}}",
                "rancher.engines.a.fixed_ip: expected an address such as 10.0.0.5, found \"10.1\"",
            ),
        ] {
            let (_, problems) = read(&format!("rancher: {{engines: {yaml}}}"));
            assert_eq!(problems, [expected], "{yaml}");
        }
        assert!(!is_name("") && !is_name("-a") && is_name("a-1_b"));
    }
}
