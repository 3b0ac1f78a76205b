//! Config drive: a disk labelled `config-2` with OpenStack's `openstack/latest/` (OpenStack's documentation,
//! "Metadata").

use std::path::Path;

use serde_json::Value;

use crate::{Data, Disk, SourceError, read};

const META: &str = "openstack/latest/meta_data.json";
const USER: &str = "openstack/latest/user_data";
const VENDOR: &str = "openstack/latest/vendor_data.json";
const NETWORK: &str = "openstack/latest/network_data.json";

/// The data source.
#[derive(Debug)]
pub struct ConfigDrive;

impl Disk for ConfigDrive {
    fn name(&self) -> &'static str {
        "configdrive"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["config-2", "CONFIG-2"]
    }

    fn read(&self, folder: &Path) -> Result<Option<Data>, SourceError> {
        read_folder(folder)
    }
}

/// Reads the mounted disk at `folder`; `None` if it holds neither file.
pub fn read_folder(folder: &Path) -> Result<Option<Data>, SourceError> {
    let user_data = read(folder, USER)?;
    let meta_data = read(folder, META)?;
    if user_data.is_none() && meta_data.is_none() {
        return Ok(None);
    }
    let mut data = Data {
        user_data: user_data.unwrap_or_default(),
        vendor_data: read(folder, VENDOR)?.map_or_else(Vec::new, |bytes| vendor_data(&bytes)),
        ..Data::default()
    };
    data.network = super::network(read(folder, NETWORK)?, &mut data.problems);
    if let Some(bytes) = meta_data {
        add_meta_data(&mut data, &bytes)?;
    }
    Ok(Some(data))
}

/// Takes in what `meta_data.json` says; an empty file says nothing.
pub(crate) fn add_meta_data(data: &mut Data, bytes: &[u8]) -> Result<(), SourceError> {
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

/// OpenStack keeps what is for cloud-init below a key of that name.
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
    use std::fs;

    #[test]
    fn what_a_drive_says() {
        let dir = std::env::temp_dir().join(format!("configdrive-{}", std::process::id()));
        assert_eq!(read_folder(&dir).unwrap(), None);
        fs::create_dir_all(dir.join("openstack/latest")).unwrap();
        fs::write(
            dir.join(super::META),
            r#"{"hostname":"h","uuid":"u","public_keys":{"a":"k1","b":"k2"}}"#,
        )
        .unwrap();
        let data = read_folder(&dir).unwrap().unwrap();
        assert_eq!(
            (data.hostname.as_deref(), data.instance_id.as_deref()),
            (Some("h"), Some("u"))
        );
        assert_eq!(data.ssh_keys, ["k1", "k2"]);
        fs::write(dir.join(super::META), "{").unwrap();
        assert!(read_folder(&dir).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
