//! Network configuration as data sources give it, in one form for every format.

mod bond_options;
mod bridge_options;
mod builder;
mod cloud_config;
mod duplicate_keys;
mod link;
mod openstack;
mod v1;
mod v2;
mod yaml;

use serde_yaml::Value;

use builder::NetworkBuilder;
use yaml::text;

pub use link::{Link, LinkKind, Network, Route};

/// Reads cloud-init's network configuration, version 1 or 2, with or without a `network:` around it, or
/// OpenStack's `network_data.json`. Each part that cannot be used adds a message to `problems`.
///
/// Sources: cloud-init's documentation ("Networking config Version 1", "… Version 2"), OpenStack's
/// specification of the metadata service.
pub fn parse(bytes: &[u8], problems: &mut Vec<String>) -> Option<Network> {
    let mut duplicates = Vec::new();
    let read = duplicate_keys::read(bytes, &mut duplicates);
    let named = duplicates.into_iter();
    problems.extend(named.map(|text| format!("network configuration: {text}")));
    let value = match read {
        Ok(value) => value,
        Err(error) => {
            problems.push(format!("network configuration: expected YAML: {error}"));
            return None;
        }
    };
    let value = value.get("network").unwrap_or(&value);
    let mut builder = NetworkBuilder {
        network: Network::default(),
        problems,
    };
    match (value.get("version").and_then(text).as_deref(), value) {
        (_, Value::Null) => return None,
        (Some("1"), _) => v1::read(value, &mut builder),
        (Some("2"), _) => v2::read(value, &mut builder),
        (None, _) if value.get("links").is_some() || value.get("networks").is_some() => {
            openstack::read(value, &mut builder);
        }
        _ => {
            let expected = "network configuration: expected `version: 1` or `version: 2`";
            builder.problems.push(expected.to_owned());
            return None;
        }
    }
    builder.check_members();
    let network = builder.network;
    (network != Network::default()).then_some(network)
}

#[cfg(test)]
mod tests;
