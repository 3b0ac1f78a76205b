//! VMware's guestinfo: what `vmx` file, API or an OVF environment set, read through the hypervisor's own
//! port. Keys of cloud-init (`guestinfo.userdata`), of CoreOS and RancherOS (`guestinfo.cloud-init.config.data`)
//! and of an OVF template (`user-data`).

use std::path::Path;

use base64::Engine as _;

use super::disk::{properties, property};
use crate::address::is_cidr;
use crate::network::{self, Link, Network};
use crate::sources::{nocloud, text_at};
use crate::{Data, Firmware, Query, Service, SourceError, read_file};

/// More of anything than a machine has.
const MAX_INDEX: usize = 32;

/// The data source.
#[derive(Debug)]
pub struct VMware;

impl Service for VMware {
    fn name(&self) -> &'static str {
        "vmware"
    }

    fn needs_network(&self, _: &Firmware) -> bool {
        false
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.vendor == "VMware, Inc." || firmware.product.starts_with("VMware")
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<Data>, SourceError> {
        let environment = match query.root {
            Some(file) => read_file(Path::new("/"), file)?,
            None => guestinfo("guestinfo.ovfenv")?.map(String::into_bytes),
        };
        let properties = match environment {
            Some(bytes) if !bytes.trim_ascii().is_empty() => properties(&bytes)?,
            _ => Vec::new(),
        };
        let from_environment = data(&|key| property(&properties, key))?;
        match from_environment {
            Some(found) => Ok(Some(found)),
            None if query.root.is_some() => Ok(None),
            None => data(&|key| guestinfo(&format!("guestinfo.{key}")).ok().flatten()),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn guestinfo(key: &str) -> Result<Option<String>, SourceError> {
    let failed = |error: vmw_backdoor::VmwError| {
        SourceError::Other(format!("asking the hypervisor for {key}: {error}"))
    };
    if !vmw_backdoor::is_vmware_cpu() {
        return Err(SourceError::Other(
            "this machine does not run on VMware".to_owned(),
        ));
    }
    let mut guard = vmw_backdoor::probe_backdoor_privileged().map_err(failed)?;
    let mut channel = guard.open_enhanced_chan().map_err(failed)?;
    let value = channel.get_guestinfo(key.as_bytes()).map_err(failed)?;
    Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(not(target_arch = "x86_64"))]
fn guestinfo(_: &str) -> Result<Option<String>, SourceError> {
    Ok(None)
}

/// Gives the value of a key, without its `guestinfo.`.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What the keys say; `None` if they say nothing.
pub fn data(lookup: Lookup<'_>) -> Result<Option<Data>, SourceError> {
    let get = |key: &str| lookup(key).filter(|text| !text.trim().is_empty());
    let mut found = Data {
        user_data: user_data(&get)?,
        ..Data::default()
    };
    if let Some(text) = get("vendordata") {
        found.vendor_data = decode(&text, get("vendordata.encoding").as_deref())?;
    }
    if let Some(text) = get("metadata") {
        let bytes = decode(&text, get("metadata.encoding").as_deref())?;
        nocloud::disk::add_meta_data(&mut found, &bytes)?;
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
    Ok((found != Data::default()).then_some(found))
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
    // Fetched with everything else that user-data includes, when there is a network.
    let url = get("cloud-init.config.url");
    Ok(url.map_or_else(Vec::new, |url| format!("#include\n{url}\n").into_bytes()))
}

fn decode(text: &str, encoding: Option<&str>) -> Result<Vec<u8>, SourceError> {
    let unpack = || {
        let packed: String = text.split_ascii_whitespace().collect();
        let engine = base64::engine::general_purpose::STANDARD;
        engine
            .decode(packed)
            .map_err(|_| SourceError::format("guestinfo", "base64"))
    };
    match encoding.unwrap_or_default().trim() {
        "" => Ok(text.as_bytes().to_vec()),
        // What is gzip is recognised by who reads it.
        "base64" | "b64" | "gzip+base64" | "gz+b64" | "gz+base64" | "gzip+b64" => unpack(),
        other => Err(SourceError::Other(format!(
            "Unsupported encoding {other:?}; expected base64 or gzip+base64"
        ))),
    }
}

/// `network`, in the metadata itself or encoded in it.
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

/// RancherOS's keys: `interface.0.ip.0.address` and the like.
fn network(get: Lookup<'_>, data: &mut Data) -> Option<Network> {
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
            // Without either it is the interface of this number.
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

/// The last address of a role counts, as in RancherOS.
fn set_address(data: &mut Data, address: &str, role: Option<&str>) {
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
