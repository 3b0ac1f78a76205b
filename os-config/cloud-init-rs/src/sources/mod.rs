//! Data sources that are asked, a file each.

pub mod aliyun;
pub mod attributes;
pub mod azure;
pub mod cloudstack;
pub mod cmdline;
pub mod configdrive;
pub mod digitalocean;
pub mod ec2;
pub mod exoscale;
pub mod file;
pub mod gce;
pub mod hetzner;
pub mod nocloud;
pub mod openstack;
pub mod oracle;
pub mod packet;
pub mod scaleway;
pub mod tftp;
pub mod url;
pub mod vmware;
pub mod vultr;

use serde_json::Value;

use crate::network::{self, Network};
use crate::{Service, SourceError};

/// All of them, in the order in which those that detect themselves are asked.
pub const ALL: [&dyn Service; 19] = [
    &file::File,
    &vmware::keys::VMware,
    &nocloud::network::NoCloudNet,
    &cmdline::KernelLine,
    &ec2::Ec2,
    &gce::Gce,
    &azure::network::Azure,
    &digitalocean::DigitalOcean,
    &hetzner::Hetzner,
    &vultr::Vultr,
    &scaleway::Scaleway,
    &exoscale::Exoscale,
    &aliyun::Aliyun,
    &oracle::Oracle,
    &packet::Packet,
    &openstack::OpenStack,
    &cloudstack::CloudStack,
    &url::Url,
    &tftp::Tftp,
];

/// Where most clouds answer.
pub(crate) const LINK_LOCAL: &str = "http://169.254.169.254";

/// The service of a name in `rancher.cloud_init.datasources`.
pub fn find(name: &str) -> Option<&'static dyn Service> {
    let name = match name {
        "equinix" => "packet",
        "googlecloud" => "gce",
        other => other,
    };
    ALL.into_iter().find(|service| service.name() == name)
}

/// Network configuration from a file's content; what cannot be used of it is a problem of the whole.
pub(crate) fn network(bytes: Option<Vec<u8>>, problems: &mut Vec<String>) -> Option<Network> {
    network::parse(&bytes?, problems)
}

/// A document in JSON; `from` is its address.
pub(crate) fn json(bytes: &[u8], from: &str) -> Result<Value, SourceError> {
    serde_json::from_slice(bytes).map_err(|_| SourceError::format(from, "JSON"))
}

/// The text at a path of keys and indexes; an empty one is none.
pub(crate) fn text_at(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The items of the list at a path.
pub(crate) fn items_at<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    let items = value.pointer(pointer).and_then(Value::as_array);
    items.into_iter().flatten()
}

/// The texts of the list at a path, or the lines of the text there.
pub(crate) fn texts_at(value: &Value, pointer: &str) -> Vec<String> {
    let texts: Vec<&str> = match value.pointer(pointer) {
        Some(Value::String(text)) => text.lines().collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    texts
        .into_iter()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect()
}
