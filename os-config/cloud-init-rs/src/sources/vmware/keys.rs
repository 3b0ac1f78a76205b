//! The keys in guestinfo or in an OVF environment: cloud-init's (`userdata`), CoreOS's and RancherOS's
//! (`cloud-init.config.data`) and an OVF template's (`user-data`).

use crate::address::is_cidr;
use crate::data::InstanceData;
use crate::encoding::decode_base64;
use crate::error::SourceError;
use crate::network::{self, Link, Network};
use crate::sources::json::text_at;
use crate::sources::nocloud::meta_data::add_meta_data;

/// More interfaces, addresses or servers than a machine has.
const MAX_INDEX: usize = 32;

/// Returns the value of a key, which is given without `guestinfo.`.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads all keys; `None` if no key is set.
pub(super) fn data(lookup: Lookup<'_>) -> Result<Option<InstanceData>, SourceError> {
    let get = |key: &str| lookup(key).filter(|text| !text.trim().is_empty());
    let mut found = InstanceData {
        user_data: user_data(&get)?,
        ..InstanceData::default()
    };
    if let Some(text) = get("vendordata") {
        found.vendor_data = decode(&text, get("vendordata.encoding").as_deref())?;
    }
    if let Some(text) = get("metadata") {
        let bytes = decode(&text, get("metadata.encoding").as_deref())?;
        add_meta_data(&mut found, &bytes)?;
        found.network = metadata_network(&bytes, &mut found.problems)?;
    }
    found.hostname = found.hostname.or_else(|| get("hostname"));
    found.instance_id = found.instance_id.or_else(|| get("instance-id"));
    if let Some(keys) = get("public-keys") {
        found.ssh_keys.extend(keys.lines().map(str::to_owned));
    }
    if found.network.is_none() {
        found.network = network(&get, &mut found);
    }
    Ok((found != InstanceData::default()).then_some(found))
}

fn user_data(get: Lookup<'_>) -> Result<Vec<u8>, SourceError> {
    if let Some(text) = get("userdata") {
        return decode(&text, get("userdata.encoding").as_deref());
    }
    if let Some(text) = get("cloud-init.config.data") {
        return decode(&text, get("cloud-init.data.encoding").as_deref());
    }
    if let Some(text) = get("user-data") {
        return decode(&text, Some("base64")).or(Ok(text.into_bytes()));
    }
    // An include is fetched once the network is up.
    let url = get("cloud-init.config.url");
    Ok(url.map_or_else(Vec::new, |url| format!("#include\n{url}\n").into_bytes()))
}

fn decode(text: &str, encoding: Option<&str>) -> Result<Vec<u8>, SourceError> {
    let unpack =
        || decode_base64(text.as_bytes()).ok_or_else(|| SourceError::format("guestinfo", "base64"));
    match encoding.unwrap_or_default().trim() {
        "" => Ok(text.as_bytes().to_vec()),
        // The reader of user-data recognises gzip by its content.
        "base64" | "b64" | "gzip+base64" | "gz+b64" | "gz+base64" | "gzip+b64" => unpack(),
        other => Err(SourceError::Other(format!(
            "Unsupported encoding {other:?}; expected base64 or gzip+base64"
        ))),
    }
}

/// The key `network` of the metadata, plain or encoded.
fn metadata_network(
    bytes: &[u8],
    problems: &mut Vec<String>,
) -> Result<Option<Network>, SourceError> {
    let wrong = || SourceError::format("guestinfo.metadata", "YAML");
    let value: serde_yaml::Value = serde_yaml::from_slice(bytes).map_err(|_| wrong())?;
    let json = serde_json::to_value(&value).map_err(|_| wrong())?;
    if let Some(text) = text_at(&json, "/network") {
        let bytes = decode(&text, text_at(&json, "/network.encoding").as_deref())?;
        return Ok(network::parse(&bytes, problems));
    }
    match json.get("network") {
        Some(config) => Ok(network::parse(config.to_string().as_bytes(), problems)),
        None => Ok(None),
    }
}

/// Reads RancherOS's keys, such as `interface.0.ip.0.address`.
fn network(get: Lookup<'_>, data: &mut InstanceData) -> Option<Network> {
    let numbered = |prefix: &str| -> Vec<String> {
        (0..MAX_INDEX)
            .map_while(|index| get(&format!("{prefix}.{index}")))
            .collect()
    };
    let listed = |key: &str| -> Vec<String> {
        let list = get(key).unwrap_or_default();
        list.split([',', ' '])
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect()
    };
    let mut nameservers = [numbered("dns.server"), listed("dns.servers")].concat();
    nameservers.retain(|text| {
        let fits = text.parse::<std::net::IpAddr>().is_ok();
        if !fits {
            data.problems.push(format!("invalid nameserver: {text:?}"));
        }
        fits
    });
    let mut network = Network {
        nameservers,
        search: [numbered("dns.domain"), listed("dns.domains")].concat(),
        links: Vec::new(),
    };
    for index in 0..MAX_INDEX {
        let prefix = format!("interface.{index}");
        let at = |key: &str| get(&format!("{prefix}.{key}"));
        let (name, mac, dhcp) = (at("name"), at("mac"), at("dhcp"));
        let addresses: Vec<String> = (0..MAX_INDEX)
            .map_while(|i| at(&format!("ip.{i}.address")))
            .collect();
        if name.is_none() && mac.is_none() && dhcp.is_none() && addresses.is_empty() {
            break;
        }
        let mut link = Link {
            // Without name and MAC address, the key's number gives the name.
            name: name.or_else(|| mac.is_none().then(|| format!("eth{index}"))),
            mac,
            dhcp: matches!(dhcp.as_deref(), Some("yes" | "true")),
            ..Link::default()
        };
        if let Some(other) =
            dhcp.filter(|dhcp| !matches!(dhcp.as_str(), "yes" | "true" | "no" | "false"))
        {
            data.problems
                .push(format!("invalid DHCP option: {other:?}"));
        }
        for route in (0..MAX_INDEX).map_while(|i| at(&format!("route.{i}.gateway"))) {
            match route.parse() {
                Ok(std::net::IpAddr::V4(ip)) => link.gateway_ipv4 = Some(ip.to_string()),
                Ok(std::net::IpAddr::V6(ip)) => link.gateway_ipv6 = Some(ip.to_string()),
                Err(_) => data.problems.push(format!("invalid gateway: {route:?}")),
            }
        }
        for address in addresses {
            if is_cidr(&address) {
                set_address(data, &address, at("role").as_deref());
                link.addresses.push(address);
            } else {
                data.problems.push(format!("invalid address: {address:?}"));
            }
        }
        network.links.push(link);
    }
    (network != Network::default()).then_some(network)
}

/// Sets the address of a role. The last address wins, as in RancherOS.
fn set_address(data: &mut InstanceData, address: &str, role: Option<&str>) {
    let bare = address.split('/').next().unwrap_or(address).to_owned();
    let addresses = &mut data.addresses;
    let slot = match (role, bare.contains(':')) {
        (Some("public"), false) => &mut addresses.public_ipv4,
        (Some("public"), true) => &mut addresses.public_ipv6,
        (Some("private"), false) => &mut addresses.private_ipv4,
        (Some("private"), true) => &mut addresses.private_ipv6,
        _ => return,
    };
    *slot = Some(bare);
}

#[cfg(test)]
mod tests;
