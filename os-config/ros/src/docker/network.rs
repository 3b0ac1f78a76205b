//! Networks of System Docker for extra engines, with their way to the outside.

use anyhow::{Context, Result, bail};
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::InspectNetworkOptions;
use os_config::keys::extra_engines::NETWORK;

use crate::docker::client::Client;
use crate::subprocess;

/// The subnet of the default network: a private range that few sites use.
const SUBNET: &str = "10.171.71.0/24";

impl Client {
    /// Creates the network if it is missing, and returns its bridge and its subnets.
    async fn ensure_network(
        &self,
        name: &str,
        subnet: Option<&str>,
    ) -> Result<(String, Vec<String>)> {
        let inspect = || {
            self.docker
                .inspect_network(name, None::<InspectNetworkOptions>)
        };
        let found = match inspect().await {
            Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 404, ..
            }) => {
                let pool = subnet.map(|subnet| IpamConfig {
                    subnet: Some(subnet.to_owned()),
                    ..IpamConfig::default()
                });
                let request = NetworkCreateRequest {
                    name: name.to_owned(),
                    ipam: Some(Ipam {
                        config: pool.map(|pool| vec![pool]),
                        ..Ipam::default()
                    }),
                    ..NetworkCreateRequest::default()
                };
                let made = self.docker.create_network(request).await;
                made.with_context(|| format!("making network {name}"))?;
                inspect().await
            }
            found => found,
        };
        let found = found.with_context(|| format!("looking for network {name}"))?;
        let id: String = found.id.unwrap_or_default().chars().take(12).collect();
        let bridge = found
            .options
            .and_then(|options| options.get("com.docker.network.bridge.name").cloned());
        let pools = found.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let subnets = pools.into_iter().filter_map(|pool| pool.subnet).collect();
        Ok((bridge.unwrap_or_else(|| format!("br-{id}")), subnets))
    }
}

/// Creates the network of an extra engine and lets its containers reach the outside: System Docker itself leaves the
/// machine's packet filter alone.
pub(crate) async fn prepare_network(system: &Client, network: &str) -> Result<()> {
    let subnet = (network == NETWORK).then_some(SUBNET);
    let (bridge, subnets) = system.ensure_network(network, subnet).await?;
    for subnet in &subnets {
        let words = ["-s", subnet, "!", "-o", &bridge, "-j", "MASQUERADE"];
        rule("nat", "POSTROUTING", &words)?;
    }
    rule("filter", "FORWARD", &["-i", &bridge, "-j", "ACCEPT"])?;
    let state = "RELATED,ESTABLISHED";
    let answers = [
        "-o",
        &bridge,
        "-m",
        "conntrack",
        "--ctstate",
        state,
        "-j",
        "ACCEPT",
    ];
    rule("filter", "FORWARD", &answers)
}

/// Adds a rule unless it is there.
fn rule(table: &str, chain: &str, words: &[&str]) -> Result<()> {
    let run = |verb| {
        let mut arguments = vec!["-w", "-t", table, verb, chain];
        arguments.extend(words);
        subprocess::failure("iptables", &arguments, None)
    };
    if run("-C")?.is_none() {
        return Ok(());
    }
    match run("-A")? {
        None => Ok(()),
        Some(said) => bail!("iptables {table} {chain}: {}", subprocess::last_line(&said)),
    }
}
