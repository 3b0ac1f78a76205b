//! OpenStack's config drive: a disk labelled `config-2` with the folder `openstack/latest/` (OpenStack's
//! documentation, "Metadata").

use std::path::Path;

use serde_json::Value;

use crate::data::InstanceData;
use crate::error::SourceError;
use crate::folder::read_file;
use crate::network;
use crate::source::DataSource;

const META: &str = "openstack/latest/meta_data.json";
const USER: &str = "openstack/latest/user_data";
const VENDOR: &str = "openstack/latest/vendor_data.json";
const NETWORK: &str = "openstack/latest/network_data.json";

#[derive(Debug)]
pub(super) struct ConfigDrive;

impl DataSource for ConfigDrive {
    fn name(&self) -> &'static str {
        "configdrive"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["config-2", "CONFIG-2"]
    }

    fn read(&self, folder: &Path) -> Result<Option<InstanceData>, SourceError> {
        read_folder(folder)
    }
}

/// Reads the mounted disk at `folder`; `None` if it has neither user-data nor metadata.
pub(super) fn read_folder(folder: &Path) -> Result<Option<InstanceData>, SourceError> {
    let user_data = read_file(folder, USER)?;
    let meta_data = read_file(folder, META)?;
    if user_data.is_none() && meta_data.is_none() {
        return Ok(None);
    }
    let mut data = InstanceData {
        user_data: user_data.unwrap_or_default(),
        vendor_data: read_file(folder, VENDOR)?.map_or_else(Vec::new, |bytes| vendor_data(&bytes)),
        ..InstanceData::default()
    };
    if let Some(bytes) = read_file(folder, NETWORK)? {
        data.network = network::parse(&bytes, &mut data.problems);
    }
    if let Some(bytes) = meta_data {
        add_meta_data(&mut data, &bytes)?;
    }
    Ok(Some(data))
}

/// Adds `meta_data.json` to the data; an empty file adds nothing.
pub(crate) fn add_meta_data(data: &mut InstanceData, bytes: &[u8]) -> Result<(), SourceError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    let meta: Value =
        serde_json::from_slice(bytes).map_err(|_| SourceError::format(META, "JSON"))?;
    let word = |key: &str| meta.get(key).and_then(Value::as_str).map(str::to_owned);
    data.hostname = word("hostname");
    data.instance_id = word("uuid");
    let keys = meta.get("public_keys").and_then(Value::as_object);
    data.ssh_keys = keys
        .into_iter()
        .flat_map(|keys| keys.values())
        .filter_map(Value::as_str)
        .map(|key| key.trim().to_owned())
        .filter(|key| !key.is_empty())
        .collect();
    Ok(())
}

/// The vendor-data for cloud-init: the document itself if it is a text, or its key `cloud-init`.
pub(crate) fn vendor_data(bytes: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::String(text)) => text.into_bytes(),
        Ok(value) => {
            let text = value.get("cloud-init").and_then(Value::as_str);
            text.unwrap_or_default().as_bytes().to_vec()
        }
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::read_folder;
    use crate::data::InstanceData;
    use std::fs;

    /// The data of a drive with these files.
    fn of(files: &[(&str, &str)]) -> Option<InstanceData> {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::create_dir_all(dir.join("openstack/latest")).unwrap();
        for (name, content) in files {
            fs::write(dir.join(name), content).unwrap();
        }
        read_folder(dir).unwrap()
    }

    #[test]
    fn metadata_by_the_references_ids() {
        for (id, meta, hostname, keys) in [
            ("DS-01", "", None, &[][..]),
            ("DS-02", "{\"ignore\": \"me\"}", None, &[]),
            ("DS-03", "{\"hostname\": \"host\"}", Some("host"), &[]),
            (
                "DS-04",
                "{\"hostname\": \"host\", \"network_config\": {\"content_path\": \"path\"}, \"public_keys\": {\"1\": \"key1\", \"2\": \"key2\"}}",
                Some("host"),
                &["key1", "key2"],
            ),
        ] {
            let data = of(&[(super::META, meta)]).unwrap();
            assert_eq!(data.hostname.as_deref(), hostname, "{id}");
            assert_eq!(data.ssh_keys, keys, "{id}");
            assert_eq!(data.user_data, b"", "DS-05");
        }
    }

    #[test]
    fn everything_else_on_a_drive() {
        assert_eq!(of(&[]), None, "DS-05");
        let data = of(&[
            (super::META, "{\"uuid\": \"u\"}"),
            (super::USER, "userdata"),
            (super::VENDOR, "{\"cloud-init\": \"#cloud-config\"}"),
            (
                super::NETWORK,
                "{\"links\": [{\"id\": \"a\", \"ethernet_mac_address\": \"fa:16:3e:00:00:01\"}], \"networks\": [{\"link\": \"a\", \"type\": \"ipv4_dhcp\"}]}",
            ),
        ])
        .unwrap();
        assert_eq!(data.user_data, b"userdata", "DS-05 DS-06");
        assert_eq!(data.instance_id.as_deref(), Some("u"));
        assert_eq!(data.vendor_data, b"#cloud-config");
        assert!(data.network.unwrap().links[0].dhcp);
    }

    #[test]
    fn a_damaged_drive_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        fs::create_dir_all(dir.join("openstack/latest")).unwrap();
        fs::write(dir.join(super::META), "{").unwrap();
        let error = read_folder(dir).unwrap_err().to_string();
        assert!(error.contains("meta_data.json: expected JSON"), "{error}");
    }
}
