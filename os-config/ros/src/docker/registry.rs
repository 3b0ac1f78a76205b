//! The registries that an engine pulls from. Programs of System Docker have the whole machine, so no container with a
//! published port may be the registry of their images.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bollard::Docker;
use bollard::models::RegistryServiceConfig;
use os_config::keys::logins::registry_of;
use tokio::net::lookup_host;

/// The limit for the answer of the name server. Without an answer the engine finds no registry either.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// The hint for an image that is in no registry.
pub(crate) const MISSING_IMAGE_HINT: &str = "load it with `docker load`, or `system-docker load` for consoles, engines and system services; \
     or set rancher.environment.PADDOCK_REGISTRY to a registry that has it";

/// Whether an image is not to be pulled, because its registry is nowhere, or, for System Docker, the machine itself:
/// there any container with a published port could answer, and hand the machine privileged programs.
pub(crate) fn has_no_registry(name: &str, is_system: bool) -> bool {
    let registry = registry_of(name).to_ascii_lowercase();
    let (host, _) = split_port(&registry);
    let host = host.trim_end_matches('.');
    host.ends_with(".invalid") || is_system && is_loopback(host)
}

/// `host:port` → host and port; an IPv6 address stands in brackets.
fn split_port(registry: &str) -> (&str, &str) {
    if let Some((address, port)) = registry
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return (address, port.trim_start_matches(':'));
    }
    registry.split_once(':').unwrap_or((registry, ""))
}

fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        let address = address.to_canonical();
        return address.is_loopback() || address.is_unspecified();
    }
    // Resolvers read numbers such as 127.1 as addresses, and no name ends with one.
    let last = host.rsplit('.').next().unwrap_or(host);
    let is_number = last.starts_with(|digit: char| digit.is_ascii_digit())
        && (last.starts_with("0x") || last.bytes().all(|digit| digit.is_ascii_digit()));
    let names = [
        "localhost",
        "localhost.localdomain",
        "ip6-localhost",
        "ip6-loopback",
    ];
    is_number || names.contains(&host) || host.ends_with(".localhost")
}

/// The registries whose certificates an engine does not check.
#[derive(Debug, Default)]
pub(crate) struct CertificateChecks {
    /// By name: whether the certificate is checked.
    names: Vec<(String, bool)>,
    /// Each as `address/bits`.
    unchecked_networks: Vec<(IpAddr, u8)>,
}

impl CertificateChecks {
    /// The settings of a running engine.
    pub(crate) async fn read(engine: &Docker) -> Result<Self> {
        let info = engine.info().await;
        let info = info.context("asking the engine for its registries")?;
        Ok(Self::of(info.registry_config.unwrap_or_default()))
    }

    fn of(config: RegistryServiceConfig) -> Self {
        let names = config.index_configs.unwrap_or_default().into_iter();
        let networks = config.insecure_registry_cidrs.unwrap_or_default();
        let network = |text: &String| {
            let (address, bits) = text.split_once('/')?;
            Some((address.parse().ok()?, bits.parse().ok()?))
        };
        Self {
            names: names
                .map(|(name, index)| (name.to_ascii_lowercase(), index.secure.unwrap_or(true)))
                .collect(),
            unchecked_networks: networks.iter().filter_map(network).collect(),
        }
    }

    fn is_checked_by_name(&self, registry: &str) -> Option<bool> {
        let registry = registry.to_ascii_lowercase();
        let mut names = self.names.iter();
        names.find_map(|(name, is_checked)| (*name == registry).then_some(*is_checked))
    }

    /// Whether the engine takes an answer of the registry at these addresses without a certificate, as the engine itself
    /// decides: a name that it knows comes before its networks.
    fn is_unchecked(&self, registry: &str, addresses: &[IpAddr]) -> bool {
        if let Some(is_checked) = self.is_checked_by_name(registry) {
            return !is_checked;
        }
        addresses.iter().any(|address| {
            let networks = &mut self.unchecked_networks.iter();
            networks.any(|network| contains(*network, *address))
        })
    }
}

/// Whether an address is in a network.
fn contains((network, bits): (IpAddr, u8), address: IpAddr) -> bool {
    let (width, network, address) = match (network, address.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(address)) => (
            32,
            u128::from(network.to_bits()),
            u128::from(address.to_bits()),
        ),
        (IpAddr::V6(network), IpAddr::V6(address)) => (128, network.to_bits(), address.to_bits()),
        _ => return false,
    };
    let rest = width - u32::from(bits).min(width);
    network.checked_shr(rest) == address.checked_shr(rest)
}

/// Refuses a registry that is this machine, unless the engine checks its certificate: a container can have the port, and
/// not the certificate.
pub(super) async fn ensure_not_own(registry: &str, checks: &CertificateChecks) -> Result<()> {
    if checks.is_checked_by_name(registry) == Some(true) {
        return Ok(());
    }
    let (host, port) = split_port(registry);
    let port = port.parse().unwrap_or(443);
    let found = tokio::time::timeout(LOOKUP_TIMEOUT, lookup_host((host, port))).await;
    let Ok(Ok(found)) = found else {
        return Ok(());
    };
    let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    ensure!(
        !checks.is_unchecked(registry, &addresses) || !addresses.iter().copied().any(is_own),
        "{registry} is this machine, where any container could answer for it, and System Docker does not check its \
         certificate\nhint: {MISSING_IMAGE_HINT}; or take the registry out of insecure_registry, and give it a certificate"
    );
    Ok(())
}

/// A program can listen at the machine's own addresses alone.
fn is_own(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{CertificateChecks, contains, ensure_not_own, has_no_registry, is_own};
    use bollard::models::{IndexInfo, RegistryServiceConfig};
    use std::net::IpAddr;

    #[test]
    fn system_docker_pulls_nothing_from_the_machine_itself() {
        for (name, of_system, of_user) in [
            ("paddock.invalid/paddock/zram", true, true),
            ("PADDOCK.INVALID./paddock/zram", true, true),
            ("localhost/paddock/zram", true, false),
            ("LocalHost:5000/a", true, false),
            ("registry.localhost:80/a", true, false),
            ("localhost.localdomain/a", true, false),
            ("127.0.0.1/a", true, false),
            ("127.8.0.1:5000/a", true, false),
            ("127.1:80/a", true, false),
            ("127.0x1/a", true, false),
            ("0.0.0.0:80/a", true, false),
            ("[::1]:5000/a", true, false),
            ("[::ffff:127.0.0.1]:5000/a", true, false),
            ("paddock/zram", false, false),
            ("debian:13", false, false),
            ("10.0.2.2:5000/a", false, false),
            ("ghcr.io/localhost/a", false, false),
            ("registry.lan:5000/a", false, false),
        ] {
            assert_eq!(has_no_registry(name, true), of_system, "{name}");
            assert_eq!(has_no_registry(name, false), of_user, "{name}");
        }
    }

    fn checks(names: &[(&str, bool)], networks: &[&str]) -> CertificateChecks {
        let index = |secure| IndexInfo {
            secure: Some(secure),
            ..IndexInfo::default()
        };
        let names = names.iter();
        let names = names.map(|(name, secure)| ((*name).to_owned(), index(*secure)));
        CertificateChecks::of(RegistryServiceConfig {
            index_configs: Some(names.collect()),
            insecure_registry_cidrs: Some(networks.iter().map(|text| (*text).to_owned()).collect()),
            ..RegistryServiceConfig::default()
        })
    }

    #[test]
    fn certificates_are_checked_as_the_engine_does() {
        let checks = checks(
            &[
                ("docker.io", true),
                ("Registry.lan:5000", false),
                ("192.168.1.5:5000", false),
                ("safe.lan", true),
            ],
            &["127.0.0.0/8", "::1/128", "10.1.0.0/16", "nonsense"],
        );
        for (registry, address, expected) in [
            ("docker.io", "127.0.0.1", false),
            ("registry.lan:5000", "192.168.1.9", true),
            ("registry.lan", "192.168.1.9", false),
            ("192.168.1.5:5000", "192.168.1.5", true),
            ("safe.lan", "10.1.2.3", false),
            ("other.lan", "10.1.2.3", true),
            ("other.lan", "10.2.2.3", false),
            ("other.lan", "::ffff:10.1.2.3", true),
            ("other.lan", "::1", true),
            ("other.lan", "fd00::1", false),
        ] {
            let addresses = [address.parse().unwrap()];
            assert_eq!(
                checks.is_unchecked(registry, &addresses),
                expected,
                "{registry} {address}"
            );
        }
    }

    #[test]
    fn networks_have_addresses() {
        for (network, bits, address, expected) in [
            ("0.0.0.0", 0, "8.8.8.8", true),
            ("10.0.0.0", 8, "11.0.0.0", false),
            ("10.0.0.1", 32, "10.0.0.1", true),
            ("::", 0, "fd00::1", true),
            ("fd00::", 8, "fe00::1", false),
            ("10.0.0.0", 200, "10.0.0.0", true),
        ] {
            let [network, address]: [IpAddr; 2] = [network, address].map(|a| a.parse().unwrap());
            assert_eq!(
                contains((network, bits), address),
                expected,
                "{network}/{bits}"
            );
        }
    }

    #[test]
    fn an_own_registry_needs_a_certificate() {
        assert!(is_own("127.0.0.1".parse().unwrap()));
        // From a range for documentation, which no machine has.
        assert!(!is_own("192.0.2.1".parse().unwrap()));
        let insecure = checks(&[], &["127.0.0.0/8", "192.0.2.0/24"]);
        let ask = |registry: &str, checks: &CertificateChecks| {
            let runtime = crate::docker::runtime().unwrap();
            runtime.block_on(ensure_not_own(registry, checks))
        };
        let error = ask("127.0.0.1:5000", &insecure).unwrap_err().to_string();
        assert!(
            error.starts_with("127.0.0.1:5000 is this machine"),
            "{error}"
        );
        assert!(ask("192.0.2.1:5000", &insecure).is_ok());
        assert!(ask("127.0.0.1:5000", &CertificateChecks::default()).is_ok());
        let checked = checks(&[("127.0.0.1:5000", true)], &["127.0.0.0/8"]);
        assert!(ask("127.0.0.1:5000", &checked).is_ok());
    }
}
