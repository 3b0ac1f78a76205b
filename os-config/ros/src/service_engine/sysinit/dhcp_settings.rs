//! What DHCP says of the machine itself: its name and its time servers. They count where the configuration is silent.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use cloud_init_rs::Lease;
use host::paths::CONFIGURED;
use host::settings;
use os_config::{Config, Ntp};
use tokio::sync::watch::Receiver;

use crate::docker::{self, Client};
use crate::network::address_announcer;
use crate::service_engine::{bring_up, time_servers};

const NTP: &str = "ntp";
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The settings of all servers together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct DhcpSettings {
    host_name: Option<String>,
    time_servers: Vec<Ipv4Addr>,
}

/// Applies the answers at each change of an address that `addresses` tells of.
pub(super) async fn follow(mut addresses: Receiver<()>) {
    // A data source may name the machine, and counts more.
    while !Path::new(CONFIGURED).exists() {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    let mut applied = DhcpSettings::default();
    loop {
        match current_settings().await {
            Ok(answer) if answer != applied => {
                // An operator may have changed the configuration since the last answer.
                let config = os_config::load::load(Path::new("/")).config;
                if let Err(error) = apply(&answer, &config).await {
                    eprintln!("ros sysinit: settings of DHCP: {error:#}");
                }
                applied = answer;
            }
            Ok(_) => {}
            Err(error) => eprintln!("ros sysinit: settings of DHCP: {error:#}"),
        }
        if addresses.changed().await.is_err() {
            return;
        }
    }
}

async fn current_settings() -> Result<DhcpSettings> {
    let addresses = address_announcer::current_addresses().await?;
    let addresses: Vec<String> = addresses.into_iter().map(|(_, address)| address).collect();
    Ok(combine(Lease::read_all(Path::new("/")), &addresses))
}

/// The first name, and all time servers, of the leases whose addresses the machine has: dhcpcd keeps those of networks
/// that it has left.
fn combine(leases: Vec<Lease>, addresses: &[String]) -> DhcpSettings {
    let mut found = DhcpSettings::default();
    for lease in leases {
        if !addresses.contains(&lease.address.to_string()) {
            continue;
        }
        found.host_name = found.host_name.or(lease.host_name);
        for server in lease.time_servers {
            if !found.time_servers.contains(&server) {
                found.time_servers.push(server);
            }
        }
    }
    found
}

async fn apply(answer: &DhcpSettings, config: &Config) -> Result<()> {
    if let Some(named) = with_host_name(config, answer.host_name.as_deref()) {
        let mut report = |text: &str| eprintln!("ros sysinit: {text}");
        host::perform::run_plan(&settings::machine_names(&named), &mut report)?;
    }
    let Some(ntp) = with_time_servers(&config.ntp, &answer.time_servers) else {
        return Ok(());
    };
    time_servers::write(&ntp)?;
    let system = Client::connect(docker::SYSTEM).await?;
    let containers = system.containers(true).await?;
    // A service that is still to start finds the file.
    let runs = |service: &str| containers.iter().any(|it| it.running && it.name == service);
    if runs(
        config
            .rancher
            .services
            .get(NTP)
            .map_or(NTP, |service| service.container(NTP)),
    ) {
        bring_up::restart(&system, NTP, &config.rancher.services).await?;
    }
    Ok(())
}

/// The configuration with the name that DHCP gives; `None` if the configuration has a name or DHCP gives none.
fn with_host_name(config: &Config, name: Option<&str>) -> Option<Config> {
    let is_named = config
        .hostname
        .as_ref()
        .is_some_and(|name| !name.is_empty());
    let name = name.filter(|_| !is_named)?;
    let first = name.split('.').next().unwrap_or(name);
    Some(Config {
        hostname: Some(first.to_owned()),
        fqdn: (first != name).then(|| name.to_owned()),
        ..config.clone()
    })
}

/// The settings with the time servers that DHCP gives; `None` if the configuration has servers or wants none.
fn with_time_servers(ntp: &Ntp, servers: &[Ipv4Addr]) -> Option<Ntp> {
    let is_silent = ntp.enabled && ntp.servers.is_empty() && ntp.pools.is_empty();
    (is_silent && !servers.is_empty()).then(|| Ntp {
        servers: servers.iter().map(ToString::to_string).collect(),
        ..ntp.clone()
    })
}

#[cfg(test)]
mod tests {
    use cloud_init_rs::Lease;
    use os_config::Config;
    use os_config::load::document;

    use super::{combine, with_host_name, with_time_servers};

    fn lease(address: &str, name: Option<&str>, servers: &[&str]) -> Lease {
        Lease {
            address: address.parse().unwrap(),
            server: None,
            host_name: name.map(str::to_owned),
            time_servers: servers
                .iter()
                .map(|server| server.parse().unwrap())
                .collect(),
        }
    }

    #[test]
    fn leases_of_present_addresses_count() {
        let leases = vec![
            lease("10.9.9.9", Some("old"), &["10.9.9.1"]),
            lease("10.0.0.5", None, &["10.0.0.1"]),
            lease("10.1.0.5", Some("barn"), &["10.0.0.1", "10.1.0.1"]),
            lease("10.2.0.5", Some("second"), &[]),
        ];
        let addresses = ["10.0.0.5", "10.1.0.5", "10.2.0.5", "fd00::5"].map(str::to_owned);
        let found = combine(leases, &addresses);
        assert_eq!(found.host_name.as_deref(), Some("barn"));
        let servers: Vec<String> = found.time_servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["10.0.0.1", "10.1.0.1"]);
    }

    #[test]
    fn the_configuration_counts_before_dhcp() {
        let named = |text: &str, name: Option<&str>| {
            let config = document(text.as_bytes()).unwrap();
            with_host_name(&config, name).map(|config| (config.hostname.unwrap(), config.fqdn))
        };
        assert_eq!(named("{}", None), None);
        assert_eq!(named("hostname: mine", Some("barn")), None);
        assert_eq!(named("fqdn: mine.lan", Some("barn")), None);
        assert_eq!(named("{}", Some("barn")), Some(("barn".to_owned(), None)));
        assert_eq!(
            named("hostname: ''", Some("barn.lan")),
            Some(("barn".to_owned(), Some("barn.lan".to_owned())))
        );
        let servers = ["10.0.0.1".parse().unwrap()];
        for (text, expected) in [
            ("{}", Some("10.0.0.1")),
            ("ntp: {enabled: true}", Some("10.0.0.1")),
            ("ntp: {enabled: false}", None),
            ("ntp: {servers: [a]}", None),
            ("ntp: {pools: [a]}", None),
        ] {
            let config: Config = document(text.as_bytes()).unwrap();
            let found = with_time_servers(&config.ntp, &servers);
            let found = found.map(|ntp| ntp.servers.join(" "));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        assert_eq!(with_time_servers(&document(b"{}").unwrap().ntp, &[]), None);
    }
}
