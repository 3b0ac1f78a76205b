//! The body of the engine's call that creates a container, made from a service of the configuration.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::models::{
    ContainerCreateBody, DeviceMapping, EndpointIpamConfig, EndpointSettings, HostConfig,
    HostConfigCgroupnsModeEnum, HostConfigLogConfig, NetworkingConfig, PortBinding,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use os_config::compose::ports;
use os_config::compose::service::{Scope, Service};
use os_config::keys::extra_engines::LABEL_ADDRESS;
use sha2::{Digest, Sha256};

/// The label with the service of a container.
pub(crate) const LABEL_SERVICE: &str = "io.rancher.os.service";
/// The label with the digest of a container's body and image; another digest means that the container is recreated.
pub(crate) const LABEL_HASH: &str = "io.rancher.os.config-hash";

/// A digest of the service's body and image. It leaves unset keys out: a key of a later version changes only the
/// containers of services with that key.
pub(crate) fn hash(
    name: &str,
    service: &Service,
    image_id: &str,
    environment: &BTreeMap<String, String>,
) -> String {
    let body = body(name, service, "", environment);
    // A JSON value sorts its maps; the body does not. The conversion cannot fail, because the body has only texts and
    // numbers.
    let value = serde_json::to_value(body).unwrap_or_default();
    let digest = Sha256::digest(format!("{image_id}\n{value}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The body of the container of `service`.
pub(crate) fn body(
    name: &str,
    service: &Service,
    hash: &str,
    environment: &BTreeMap<String, String>,
) -> ContainerCreateBody {
    let mut labels: HashMap<String, String> = service.labels.clone().into_iter().collect();
    labels.insert(LABEL_SERVICE.to_owned(), name.to_owned());
    labels.insert(LABEL_HASH.to_owned(), hash.to_owned());
    let seconds = service
        .stop_grace_period
        .map(|period| i64::try_from(period.as_secs()).unwrap_or(i64::MAX));
    ContainerCreateBody {
        image: Some(service.image.clone()),
        cmd: some(service.command.clone()),
        entrypoint: some(service.entrypoint.clone()),
        env: some(env(name, service, environment)),
        labels: Some(labels),
        hostname: service.hostname.clone(),
        domainname: service.domainname.clone(),
        user: service.user.clone(),
        working_dir: service.working_dir.clone(),
        tty: Some(service.tty),
        open_stdin: Some(service.stdin_open),
        stop_signal: service.stop_signal.clone(),
        stop_timeout: seconds,
        exposed_ports: some(exposed(service)),
        host_config: Some(host_config(service)),
        networking_config: fixed_address(service),
        ..Default::default()
    }
}

/// Adds volumes (`volume:target`) at targets where the body has no volume of its own.
pub(crate) fn with_volumes(
    mut body: ContainerCreateBody,
    volumes: Vec<String>,
) -> ContainerCreateBody {
    let host = body.host_config.get_or_insert_default();
    let binds = host.binds.get_or_insert_default();
    let target = |bind: &str| bind.split(':').nth(1).map(str::to_owned);
    let taken: Vec<Option<String>> = binds.iter().map(|bind| target(bind)).collect();
    // A bind of one part is an anonymous volume of the definition.
    binds.retain(|bind| {
        !volumes
            .iter()
            .any(|volume| target(volume).as_ref() == Some(bind))
    });
    binds.extend(
        volumes
            .into_iter()
            .filter(|volume| !taken.contains(&target(volume))),
    );
    body
}

/// The fixed address in the service's network, by RancherOS's label.
fn fixed_address(service: &Service) -> Option<NetworkingConfig> {
    let address = service.labels.get(LABEL_ADDRESS)?.clone();
    let endpoint = EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: Some(address),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    };
    Some(NetworkingConfig {
        endpoints_config: Some(HashMap::from([(service.net.clone()?, endpoint)])),
    })
}

fn host_config(service: &Service) -> HostConfig {
    HostConfig {
        binds: some(service.volumes.clone()),
        volumes_from: some(
            service
                .volumes_from
                .iter()
                .map(|from| match from.split_once(':') {
                    Some((name, mode)) => format!("{}:{mode}", container_of(service, name)),
                    None => container_of(service, from).to_owned(),
                })
                .collect(),
        ),
        tmpfs: some_map(service.tmpfs.iter().map(|text| {
            let (path, options) = text.split_once(':').unwrap_or((text, ""));
            (path.to_owned(), options.to_owned())
        })),
        devices: some(service.devices.iter().map(|text| device(text)).collect()),
        device_cgroup_rules: some(service.device_cgroup_rules.clone()),
        network_mode: namespace(service, service.net.as_ref()),
        pid_mode: namespace(service, service.pid.as_ref()),
        ipc_mode: namespace(service, service.ipc.as_ref()),
        uts_mode: service.uts.clone(),
        cgroupns_mode: service.cgroup.as_deref().map(|mode| match mode {
            "host" => HostConfigCgroupnsModeEnum::HOST,
            _ => HostConfigCgroupnsModeEnum::PRIVATE,
        }),
        cgroup_parent: service.cgroup_parent.clone(),
        runtime: service.runtime.clone(),
        privileged: Some(service.privileged),
        cap_add: some(service.cap_add.clone()),
        cap_drop: some(service.cap_drop.clone()),
        security_opt: some(service.security_opt.clone()),
        readonly_rootfs: Some(service.read_only),
        restart_policy: Some(restart_policy(service)),
        group_add: some(service.group_add.clone()),
        extra_hosts: some(service.extra_hosts.clone()),
        dns: some(service.dns.clone()),
        dns_search: some(service.dns_search.clone()),
        dns_options: some(service.dns_opt.clone()),
        links: some(links(service)),
        log_config: service
            .log_driver
            .clone()
            .map(|driver| HostConfigLogConfig {
                typ: Some(driver),
                config: some_map(service.log_opt.clone()),
            }),
        memory: service.mem_limit,
        memory_swap: service.memswap_limit,
        memory_reservation: service.mem_reservation,
        memory_swappiness: service.mem_swappiness,
        pids_limit: service.pids_limit,
        shm_size: service.shm_size,
        cpu_shares: service.cpu_shares,
        cpu_quota: service.cpu_quota,
        cpuset_cpus: service.cpuset.clone(),
        oom_score_adj: service.oom_score_adj,
        oom_kill_disable: service.oom_kill_disable.then_some(true),
        ulimits: some(
            service
                .ulimits
                .iter()
                .map(|(name, (soft, hard))| ResourcesUlimits {
                    name: Some(name.clone()),
                    soft: Some(*soft),
                    hard: Some(*hard),
                })
                .collect(),
        ),
        sysctls: some_map(service.sysctls.clone()),
        init: Some(service.init),
        port_bindings: some_map(ports(service)),
        ..Default::default()
    }
}

/// The container of another service that this service names.
fn container_of<'a>(service: &'a Service, name: &'a str) -> &'a str {
    service.containers.get(name).map_or(name, String::as_str)
}

/// The mode of a namespace: shared with the host or with another container.
fn namespace(service: &Service, mode: Option<&String>) -> Option<String> {
    let mode = mode?;
    let named = mode
        .strip_prefix("service:")
        .or_else(|| mode.strip_prefix("container:"));
    Some(match named {
        Some(name) => format!("container:{}", container_of(service, name)),
        None => mode.clone(),
    })
}

/// Links to other containers, each with its alias.
fn links(service: &Service) -> Vec<String> {
    let own = service.links.iter().map(|link| {
        let (name, alias) = link.split_once(':').unwrap_or((link, link));
        format!("{}:{alias}", container_of(service, name))
    });
    own.chain(service.external_links.iter().cloned()).collect()
}

/// The engine's restart policy: none in System Docker, where the service engine restarts services; the service's own in
/// User Docker.
fn restart_policy(service: &Service) -> RestartPolicy {
    let text = match service.scope() {
        Scope::System => "no",
        Scope::User => service.restart.as_deref().unwrap_or("no"),
    };
    let (name, count) = text.split_once(':').unwrap_or((text, ""));
    RestartPolicy {
        name: Some(match name {
            "always" => RestartPolicyNameEnum::ALWAYS,
            "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
            "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
            _ => RestartPolicyNameEnum::NO,
        }),
        maximum_retry_count: count.parse().ok(),
    }
}

/// `KEY=value` as given; `KEY`, `KEY=` and `KEY*` are looked up in `rancher.environment`. `SERVICE/KEY` there is the
/// service's own value, as in RancherOS.
fn env(name: &str, service: &Service, environment: &BTreeMap<String, String>) -> Vec<String> {
    let own_prefix = format!("{name}/");
    let find = |key: &str| {
        let own = environment.get(&format!("{own_prefix}{key}"));
        own.or_else(|| environment.get(key))
    };
    let mut out = Vec::new();
    for entry in &service.environment {
        let (key, value) = match entry.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (entry.as_str(), None),
        };
        if value.is_some_and(|value| !value.is_empty()) {
            out.push(entry.clone());
        } else if let (Some(prefix), None) = (key.strip_suffix('*'), value) {
            // A slash makes a key another service's.
            let keys: BTreeSet<&str> = environment
                .keys()
                .map(|key| key.strip_prefix(&own_prefix).unwrap_or(key))
                .filter(|key| key.starts_with(prefix) && !key.contains('/'))
                .collect();
            let found = keys.into_iter().filter_map(|key| Some((key, find(key)?)));
            out.extend(found.map(|(key, value)| format!("{key}={value}")));
        } else if let Some(value) = find(key) {
            out.push(format!("{key}={value}"));
        } else if value.is_some() {
            out.push(entry.clone());
        }
    }
    out
}

fn device(text: &str) -> DeviceMapping {
    let mut parts = text.splitn(3, ':');
    let host = parts.next().unwrap_or_default();
    DeviceMapping {
        path_on_host: Some(host.to_owned()),
        path_in_container: Some(parts.next().unwrap_or(host).to_owned()),
        cgroup_permissions: Some(parts.next().unwrap_or("rwm").to_owned()),
    }
}

fn exposed(service: &Service) -> Vec<String> {
    service
        .expose
        .iter()
        .map(|port| with_protocol(port))
        .chain(ports(service).into_keys())
        .collect()
}

/// Published ports: `port/protocol` with the host's address and port.
fn ports(service: &Service) -> BTreeMap<String, Option<Vec<PortBinding>>> {
    let mut out: BTreeMap<String, Option<Vec<PortBinding>>> = BTreeMap::new();
    for port in service
        .ports
        .iter()
        .filter_map(|text| ports::parse(text))
        .flatten()
    {
        let binding = PortBinding {
            host_port: Some(port.published),
            host_ip: Some(port.address),
        };
        out.entry(format!("{}/{}", port.target, port.protocol))
            .or_default()
            .get_or_insert_default()
            .push(binding);
    }
    out
}

fn with_protocol(port: &str) -> String {
    if port.contains('/') {
        port.to_owned()
    } else {
        format!("{port}/tcp")
    }
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn some_map<T>(entries: impl IntoIterator<Item = (String, T)>) -> Option<HashMap<String, T>> {
    let map: HashMap<String, T> = entries.into_iter().collect();
    (!map.is_empty()).then_some(map)
}

#[cfg(test)]
mod tests {
    use super::{body, env, hash};
    use bollard::models::RestartPolicyNameEnum;
    use os_config::compose::service::Service;
    use std::collections::BTreeMap;

    fn service() -> Service {
        Service {
            image: "x".into(),
            environment: vec!["A=1".into(), "B".into(), "C".into(), "P*".into()],
            volumes: vec!["/a:/b:ro".into()],
            ports: vec!["8080:80".into(), "127.0.0.1:53:53/udp".into(), "9".into()],
            restart: Some("on-failure:3".into()),
            ..Service::default()
        }
    }

    #[test]
    fn unnamed_volumes_go_over_unless_something_else_is_there() {
        let service = Service {
            volumes: vec!["/a:/b:ro".into(), "/data".into()],
            ..service()
        };
        let of = |volumes: &[&str]| {
            let volumes = volumes.iter().map(|volume| (*volume).to_owned()).collect();
            let body = body("s", &service, "h", &BTreeMap::new());
            let body = super::with_volumes(body, volumes);
            body.host_config.unwrap().binds.unwrap()
        };
        assert_eq!(of(&[]), ["/a:/b:ro", "/data"]);
        assert_eq!(
            of(&["v:/data", "w:/b", "x:/c"]),
            ["/a:/b:ro", "v:/data", "x:/c"]
        );
    }

    #[test]
    fn body_of_a_service() {
        let environment = BTreeMap::from([
            ("B".to_owned(), "2".to_owned()),
            ("PX".to_owned(), "3".to_owned()),
            ("web/B".to_owned(), "own".to_owned()),
        ]);
        let body = body("web", &service(), "h", &environment);
        assert_eq!(body.env.unwrap(), ["A=1", "B=own", "PX=3"]);
        let host = body.host_config.unwrap();
        assert_eq!(host.binds.unwrap(), ["/a:/b:ro"]);
        let ports = host.port_bindings.unwrap();
        assert_eq!(
            ports["80/tcp"].as_ref().unwrap()[0].host_port.as_deref(),
            Some("8080")
        );
        assert_eq!(
            ports["53/udp"].as_ref().unwrap()[0].host_ip.as_deref(),
            Some("127.0.0.1")
        );
        assert_eq!(host.restart_policy.unwrap().maximum_retry_count, Some(3));
    }

    #[test]
    fn variables_are_looked_up_as_in_rancheros() {
        let known = [
            ("A", "1"),
            ("AB", "2"),
            ("web/A", "own"),
            ("web/AC", "3"),
            ("db/A", "4"),
        ];
        let known = BTreeMap::from(known.map(|(key, value)| (key.to_owned(), value.to_owned())));
        for (entry, expected) in [
            ("A", &["A=own"][..]),
            ("A=", &["A=own"]),
            ("A=x", &["A=x"]),
            ("none", &[]),
            ("none=", &["none="]),
            ("A*", &["A=own", "AB=2", "AC=3"]),
            ("*", &["A=own", "AB=2", "AC=3"]),
        ] {
            let service = Service {
                environment: vec![entry.to_owned()],
                ..Service::default()
            };
            assert_eq!(env("web", &service, &known), expected, "{entry}");
        }
    }

    #[test]
    fn system_docker_restarts_nothing_by_itself() {
        let mut service = service();
        service
            .labels
            .insert("io.rancher.os.scope".into(), "system".into());
        let policy = body("web", &service, "h", &BTreeMap::new())
            .host_config
            .unwrap()
            .restart_policy
            .unwrap();
        assert_eq!(policy.name, Some(RestartPolicyNameEnum::NO));
    }

    #[test]
    fn the_kernel_ends_a_service_first_or_last_by_its_score() {
        for score in [None, Some(-500), Some(1000)] {
            let service = Service {
                oom_score_adj: score,
                ..service()
            };
            let host = body("web", &service, "h", &BTreeMap::new()).host_config;
            assert_eq!(host.unwrap().oom_score_adj, score);
        }
    }

    #[test]
    fn the_hash_follows_the_definition_the_image_and_the_environment() {
        let none = BTreeMap::new();
        let base = hash("s", &service(), "sha256:1", &none);
        assert_eq!(base, hash("s", &service(), "sha256:1", &none));
        assert_ne!(base, hash("s", &service(), "sha256:2", &none));
        assert_ne!(
            base,
            hash(
                "s",
                &Service {
                    privileged: true,
                    ..service()
                },
                "sha256:1",
                &none
            )
        );
        assert_ne!(
            base,
            hash(
                "s",
                &service(),
                "sha256:1",
                &BTreeMap::from([("B".into(), "x".into())])
            )
        );
    }
}
