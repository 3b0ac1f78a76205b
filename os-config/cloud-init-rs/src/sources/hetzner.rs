//! Hetzner Cloud's metadata, in YAML.

use serde_yaml::Value;

use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::network;
use crate::query::{LINK_LOCAL, Query};
use crate::source::DataSource;

#[derive(Debug)]
pub(super) struct Hetzner;

impl DataSource for Hetzner {
    fn name(&self) -> &'static str {
        "hetzner"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.vendor == "Hetzner"
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let base = format!("{}/hetzner/v1", query.root_or(LINK_LOCAL));
        let url = format!("{base}/metadata");
        let Some(bytes) = query.http.get(&url, &[])? else {
            return Ok(None);
        };
        let mut data = from_metadata(&bytes, &url)?;
        let user_data = query.http.get(&format!("{base}/userdata"), &[])?;
        data.user_data = user_data.unwrap_or_default();
        Ok(Some(data))
    }
}

fn from_metadata(bytes: &[u8], url: &str) -> Result<InstanceData, SourceError> {
    let value: Value =
        serde_yaml::from_slice(bytes).map_err(|_| SourceError::format(url, "YAML"))?;
    let text = |key: &str| match value.get(key)? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let keys = value.get("public-keys").and_then(Value::as_sequence);
    let mut data = InstanceData {
        hostname: text("hostname"),
        instance_id: text("instance-id"),
        ssh_keys: keys
            .into_iter()
            .flatten()
            .filter_map(|key| key.as_str().map(str::to_owned))
            .collect(),
        vendor_data: text("vendor_data").map_or_else(Vec::new, String::into_bytes),
        ..InstanceData::default()
    };
    data.addresses.public_ipv4 = text("public-ipv4");
    data.addresses.private_ipv4 = text("local-ipv4");
    if let Some(config) = value.get("network-config")
        && let Ok(text) = serde_yaml::to_string(config)
    {
        data.network = network::parse(text.as_bytes(), &mut data.problems);
    }
    Ok(data)
}
