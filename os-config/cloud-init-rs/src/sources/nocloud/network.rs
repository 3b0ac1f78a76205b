//! NoCloud without a disk: kernel line or serial number give the address of the files as
//! `ds=nocloud;s=http://host/folder/` (cloud-init's documentation, "NoCloud").

use std::path::Path;

use super::disk::read_folder;
use super::meta_data::add_meta_data;
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::network;
use crate::query::Query;
use crate::source::DataSource;

#[derive(Debug)]
pub(crate) struct NoCloudNet;

impl DataSource for NoCloudNet {
    fn name(&self) -> &'static str {
        "nocloud-net"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        Seed::from_firmware(firmware).is_some_and(|seed| seed.from.is_some())
    }

    fn needs_network(&self, firmware: &Firmware) -> bool {
        let from = Seed::from_firmware(firmware).and_then(|seed| seed.from);
        !from.is_some_and(|from| from.starts_with('/') || from.starts_with("file://"))
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let seed = Seed::from_firmware(query.firmware).unwrap_or_default();
        let Some(from) = query.root.map(str::to_owned).or(seed.from) else {
            return Err(SourceError::Other(
                "neither kernel line nor serial number say `ds=nocloud;s=http://…`".to_owned(),
            ));
        };
        let folder = from.strip_prefix("file://").unwrap_or(&from);
        let found = if folder.starts_with('/') {
            read_folder(Path::new(folder))?
        } else {
            fetch_folder(query, &from)?
        };
        Ok(found.map(|data| InstanceData {
            hostname: seed.hostname.or(data.hostname),
            instance_id: seed.instance_id.or(data.instance_id),
            ..data
        }))
    }
}

fn fetch_folder(query: &Query<'_>, from: &str) -> Result<Option<InstanceData>, SourceError> {
    let base = from.trim_end_matches('/');
    let get = |name: &str| query.http.get(&format!("{base}/{name}"), &[]);
    let (meta_data, user_data) = (get("meta-data")?, get("user-data")?);
    if meta_data.is_none() && user_data.is_none() {
        return Ok(None);
    }
    let mut data = InstanceData {
        user_data: user_data.unwrap_or_default(),
        user_data_address: Some(from.to_owned()),
        vendor_data: get("vendor-data")?.unwrap_or_default(),
        ..InstanceData::default()
    };
    if let Some(bytes) = get("network-config")? {
        data.network = network::parse(&bytes, &mut data.problems);
    }
    add_meta_data(&mut data, &meta_data.unwrap_or_default())?;
    Ok(Some(data))
}

/// The values of `ds=nocloud;s=…;h=…;i=…`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seed {
    from: Option<String>,
    hostname: Option<String>,
    instance_id: Option<String>,
}

impl Seed {
    fn from_firmware(firmware: &Firmware) -> Option<Self> {
        let line = firmware.argument("ds").and_then(Self::parse);
        line.or_else(|| Self::parse(firmware.serial.trim().strip_prefix("ds=")?))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut pieces = text.split(';');
        if !matches!(pieces.next()?, "nocloud" | "nocloud-net") {
            return None;
        }
        let mut seed = Self::default();
        for (key, value) in pieces.filter_map(|piece| piece.split_once('=')) {
            let value = Some(value.to_owned()).filter(|value| !value.is_empty());
            match key {
                "s" | "seedfrom" => seed.from = value,
                "h" | "local-hostname" => seed.hostname = value,
                "i" | "instance-id" => seed.instance_id = value,
                _ => {}
            }
        }
        Some(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::{NoCloudNet, Seed};
    use crate::firmware::Firmware;
    use crate::source::DataSource;

    #[test]
    fn seeds() {
        for (line, serial, from, hostname) in [
            ("ds=nocloud;s=http://h/a/", "", Some("http://h/a/"), None),
            (
                "quiet ds=nocloud-net;h=box;s=http://h/?a=b",
                "",
                Some("http://h/?a=b"),
                Some("box"),
            ),
            ("", "ds=nocloud;s=http://h/", Some("http://h/"), None),
            (
                "ds=nocloud;s=http://l/",
                "ds=nocloud;s=http://s/",
                Some("http://l/"),
                None,
            ),
            ("ds=ec2", "", None, None),
            ("ds=nocloud", "", None, None),
            ("", "VMware-42", None, None),
        ] {
            let firmware = Firmware {
                kernel_line: line.into(),
                serial: serial.into(),
                ..Firmware::default()
            };
            let seed = Seed::from_firmware(&firmware).unwrap_or_default();
            assert_eq!(seed.from.as_deref(), from, "{line} {serial}");
            assert_eq!(seed.hostname.as_deref(), hostname, "{line} {serial}");
            assert_eq!(NoCloudNet.detect(&firmware), from.is_some());
        }
    }
}
