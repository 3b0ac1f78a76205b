//! Google Compute Engine's metadata server.

use super::attributes::Attributes;
use crate::data::InstanceData;
use crate::encoding::decode_base64;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::query::{LINK_LOCAL, Query};
use crate::source::DataSource;

#[derive(Debug)]
pub(super) struct Gce;

impl DataSource for Gce {
    fn name(&self) -> &'static str {
        "gce"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        matches!(
            firmware.product.as_str(),
            "Google Compute Engine" | "Google"
        ) || firmware.serial.starts_with("GoogleCloud-")
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let tree = Attributes {
            http: query.http,
            base: format!("{}/computeMetadata/v1", query.root_or(LINK_LOCAL)),
            // The server refuses requests without this header, which protects against forged requests.
            headers: vec![("Metadata-Flavor", "Google")],
        };
        if tree.bytes("instance/")?.is_none() {
            return Ok(None);
        }
        let mut data = InstanceData {
            user_data: user_data(&tree)?,
            hostname: tree.word("instance/hostname")?,
            instance_id: tree.first("instance/id")?,
            ..InstanceData::default()
        };
        let nic = "instance/network-interfaces/0";
        data.addresses.private_ipv4 = tree.first(&format!("{nic}/ip"))?;
        data.addresses.public_ipv4 = tree.first(&format!("{nic}/access-configs/0/external-ip"))?;
        let block = tree.first("instance/attributes/block-project-ssh-keys")?;
        let mut paths = vec!["instance/attributes/ssh-keys"];
        if !block.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            paths.push("project/attributes/ssh-keys");
        }
        for path in paths {
            let lines = tree.lines(path)?;
            data.ssh_keys
                .extend(lines.iter().filter_map(|line| key(line)));
        }
        Ok(Some(data))
    }
}

fn user_data(tree: &Attributes<'_>) -> Result<Vec<u8>, SourceError> {
    if let Some(bytes) = tree.bytes("instance/attributes/user-data")? {
        let encoding = tree.first("instance/attributes/user-data-encoding")?;
        if encoding.as_deref() == Some("base64") {
            return decode_base64(&bytes)
                .ok_or_else(|| SourceError::format("instance/attributes/user-data", "base64"));
        }
        return Ok(bytes);
    }
    let script = tree.bytes("instance/attributes/startup-script")?;
    Ok(script.unwrap_or_default())
}

/// The key in a line `user:ssh-rsa …`.
fn key(line: &str) -> Option<String> {
    let (_, key) = line.split_once(':')?;
    let key = key.trim();
    (!key.is_empty()).then(|| key.to_owned())
}
