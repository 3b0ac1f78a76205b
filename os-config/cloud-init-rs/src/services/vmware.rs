//! VMware's guestinfo: what `vmx` file, API or an OVF environment set, read through the hypervisor's own
//! port. Keys of cloud-init (`guestinfo.userdata`), of CoreOS and RancherOS (`guestinfo.cloud-init.config.data`)
//! and of an OVF template (`user-data`).

use std::path::Path;

use base64::Engine as _;

use super::text_at;
use crate::address::is_cidr;
use crate::disks::{nocloud, ovf};
use crate::network::{self, Link, Network};
use crate::{Asking, Data, Machine, Service, SourceError, read};

/// More of anything than a machine has.
const MOST: usize = 32;

/// The data source.
#[derive(Debug)]
pub struct VMware;

impl Service for VMware {
    fn name(&self) -> &'static str {
        "vmware"
    }

    fn needs_network(&self, _: &Machine) -> bool {
        false
    }

    fn detect(&self, machine: &Machine) -> bool {
        machine.vendor == "VMware, Inc." || machine.product.starts_with("VMware")
    }

    fn fetch(&self, asking: &Asking<'_>) -> Result<Option<Data>, SourceError> {
        let environment = match asking.root {
            Some(file) => read(Path::new("/"), file)?,
            None => guestinfo("guestinfo.ovfenv")?.map(String::into_bytes),
        };
        let properties = match environment {
            Some(bytes) if !bytes.trim_ascii().is_empty() => ovf::properties(&bytes)?,
            _ => Vec::new(),
        };
        let of_environment = data(&|key| ovf::property(&properties, key))?;
        match of_environment {
            Some(found) => Ok(Some(found)),
            None if asking.root.is_some() => Ok(None),
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
        nocloud::add_meta_data(&mut found, &bytes)?;
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
        (0..MOST)
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
    for index in 0..MOST {
        let prefix = format!("interface.{index}");
        let at = |key: &str| get(&format!("{prefix}.{key}"));
        let (name, mac, dhcp) = (at("name"), at("mac"), at("dhcp"));
        let addresses: Vec<String> = (0..MOST)
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
        for route in (0..MOST).map_while(|i| at(&format!("route.{i}.gateway"))) {
            match route.parse() {
                Ok(std::net::IpAddr::V4(ip)) => link.gateway_ipv4 = Some(ip.to_string()),
                Ok(std::net::IpAddr::V6(ip)) => link.gateway_ipv6 = Some(ip.to_string()),
                Err(_) => data.problems.push(format!("invalid gateway: {route:?}")),
            }
        }
        for address in addresses {
            if is_cidr(&address) {
                note(data, &address, at("role").as_deref());
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
fn note(data: &mut Data, address: &str, role: Option<&str>) {
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
mod tests {
    use super::data;
    use crate::{Data, SourceError};
    use serde_json::json;

    fn of(settings: &[(&str, &str)]) -> Result<Data, SourceError> {
        let lookup = |key: &str| {
            let known = settings.iter().find(|(name, _)| *name == key);
            known.map(|(_, value)| (*value).to_owned())
        };
        data(&lookup).map(Option::unwrap_or_default)
    }

    #[test]
    fn user_data_by_the_references_ids() {
        for (id, settings, expected) in [
            ("DS-15", vec![], Ok("")),
            (
                "DS-16",
                vec![("cloud-init.config.data", "test config")],
                Ok("test config"),
            ),
            (
                "DS-16",
                vec![
                    ("cloud-init.config.data", "test config"),
                    ("cloud-init.data.encoding", ""),
                ],
                Ok("test config"),
            ),
            (
                "DS-17",
                vec![
                    ("cloud-init.config.data", "dGVzdCBjb25maWc="),
                    ("cloud-init.data.encoding", "base64"),
                ],
                Ok("test config"),
            ),
            (
                "DS-19",
                vec![
                    ("cloud-init.config.data", "x"),
                    ("cloud-init.data.encoding", "test encoding"),
                ],
                Err("Unsupported encoding \"test encoding\""),
            ),
            (
                "DS-20",
                vec![("cloud-init.config.url", "http://h/a")],
                Ok("#include\nhttp://h/a\n"),
            ),
            (
                "",
                vec![
                    ("userdata", "dGVzdCBjb25maWc="),
                    ("userdata.encoding", "b64"),
                ],
                Ok("test config"),
            ),
            (
                "",
                vec![("user-data", "dGVzdCBjb25maWc=")],
                Ok("test config"),
            ),
            (
                "",
                vec![("user-data", "#cloud-config")],
                Ok("#cloud-config"),
            ),
        ] {
            match (of(&settings), expected) {
                (Ok(data), Ok(expected)) => assert_eq!(data.user_data, expected.as_bytes(), "{id}"),
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{id}")
                }
                (found, _) => panic!("{id}: {found:?}"),
            }
        }
    }

    #[test]
    fn gzip_is_left_to_who_reads_user_data() {
        let found = of(&[
            (
                "cloud-init.config.data",
                "H4sIABaoWlUAAytJLS5RSM7PS8tMBwCQiHNZCwAAAA==",
            ),
            ("cloud-init.data.encoding", "gzip+base64"),
        ]);
        assert_eq!(found.unwrap().user_data[..2], [0x1F, 0x8B], "DS-18");
    }

    #[test]
    fn interfaces_by_the_references_ids() {
        let found = of(&[
            ("hostname", "second"),
            ("interface.0.name", "name"),
            ("interface.0.dhcp", "yes"),
        ])
        .unwrap();
        assert_eq!(found.hostname.as_deref(), Some("second"), "DS-12");
        assert_eq!(
            found.network.unwrap().to_cloud_config()["rancher"]["network"]["interfaces"],
            json!({"name": {"dhcp": true}}),
            "DS-12"
        );
        let found = of(&[
            ("interface.0.mac", "00:11:22:33:44:55"),
            ("interface.0.role", "private"),
            ("interface.0.ip.0.address", "fe00::100/64"),
            ("interface.0.route.0.gateway", "fe00::1"),
            ("interface.0.route.0.destination", "::"),
        ])
        .unwrap();
        assert_eq!(
            found.addresses.private_ipv6.as_deref(),
            Some("fe00::100"),
            "DS-13"
        );
        assert_eq!(
            found.network.unwrap().to_cloud_config()["rancher"]["network"]["interfaces"],
            json!({"mac:00:11:22:33:44:55": {"dhcp": false, "addresses": ["fe00::100/64"], "gateway_ipv6": "fe00::1"}}),
            "DS-13"
        );
        let found = of(&[
            ("dns.server.0", "1.1.1.1"),
            ("dns.domains", "lan, example.com"),
            ("interface.0.name", "test"),
            ("interface.0.role", "public"),
            ("interface.0.ip.0.address", "10.0.0.100/24"),
            ("interface.0.ip.1.address", "10.0.0.101/24"),
            ("interface.0.route.0.gateway", "10.0.0.1"),
            ("interface.1.mac", "00:00:00:00:00:02"),
            ("interface.1.role", "private"),
            ("interface.1.ip.0.address", "10.0.0.102/24"),
            ("interface.1.route.0.gateway", "10.0.0.2"),
        ])
        .unwrap();
        assert_eq!(
            found.addresses.public_ipv4.as_deref(),
            Some("10.0.0.101"),
            "DS-14"
        );
        assert_eq!(
            found.addresses.private_ipv4.as_deref(),
            Some("10.0.0.102"),
            "DS-14"
        );
        let network = found.network.unwrap();
        assert_eq!((network.links.len(), network.search.len()), (2, 2), "DS-14");
    }

    #[test]
    fn what_is_no_address_is_said() {
        let found = of(&[
            ("interface.0.name", "eth0"),
            ("interface.0.ip.0.address", "test address"),
            ("interface.0.route.0.gateway", "test gateway"),
        ])
        .unwrap();
        assert_eq!(
            found.problems,
            [
                "invalid gateway: \"test gateway\"",
                "invalid address: \"test address\""
            ],
            "VN-09 VN-11"
        );
    }

    #[test]
    fn more_interfaces_by_the_references_ids() {
        let interfaces = |settings: &[(&str, &str)]| {
            let network = of(settings).unwrap().network;
            network.map(|network| {
                network.to_cloud_config()["rancher"]["network"]["interfaces"].clone()
            })
        };
        const MAC: &str = "00:11:22:33:44:55";
        for (id, settings, expected) in [
            (
                // Without a name it is the one of this number.
                "VN-02",
                vec![("interface.0.dhcp", "yes")],
                json!({"eth0": {"dhcp": true}}),
            ),
            (
                "VN-03",
                vec![("interface.0.mac", MAC), ("interface.0.dhcp", "yes")],
                json!({"mac:00:11:22:33:44:55": {"dhcp": true}}),
            ),
            (
                "VN-04",
                vec![("interface.0.name", "eth0"), ("interface.0.dhcp", "yes")],
                json!({"eth0": {"dhcp": true}}),
            ),
            (
                "VN-05",
                vec![
                    ("interface.0.mac", MAC),
                    ("interface.0.ip.0.address", "10.0.0.100/24"),
                    ("interface.0.route.0.gateway", "10.0.0.1"),
                    ("interface.0.route.0.destination", "0.0.0.0/0"),
                ],
                json!({"mac:00:11:22:33:44:55": {"dhcp": false, "addresses": ["10.0.0.100/24"], "gateway": "10.0.0.1"}}),
            ),
            (
                "VN-12",
                vec![("interface.0.name", "eth0"), ("interface.0.dhcp", "no")],
                json!({"eth0": {"dhcp": false}}),
            ),
        ] {
            assert_eq!(interfaces(&settings), Some(expected), "{id}");
        }
        let found = of(&[("dns.server.0", "test dns")]).unwrap();
        assert_eq!(
            found.problems,
            ["invalid nameserver: \"test dns\""],
            "VN-07"
        );
        let found = of(&[("interface.0.name", "a"), ("interface.0.dhcp", "blah")]).unwrap();
        assert_eq!(found.problems, ["invalid DHCP option: \"blah\""], "VN-13");
    }

    #[test]
    fn metadata_of_cloud_init() {
        let found = of(&[(
            "metadata",
            "local-hostname: box\ninstance-id: i-1\nnetwork: {version: 2, ethernets: {eth0: {dhcp4: true}}}\n",
        )])
        .unwrap();
        assert_eq!(found.hostname.as_deref(), Some("box"));
        assert!(found.network.unwrap().links[0].dhcp);
        assert_eq!(of(&[]).unwrap(), Data::default(), "VN-01");
    }
}
