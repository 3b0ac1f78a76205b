//! NoCloud: a disk labelled `cidata` with `user-data` and `meta-data` (cloud-init's documentation,
//! "NoCloud").

use std::path::Path;

use serde_yaml::Value;

use crate::{Data, Datasource, SourceError, read};

/// The data source.
#[derive(Debug)]
pub struct NoCloud;

impl Datasource for NoCloud {
    fn name(&self) -> &'static str {
        "nocloud"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["cidata", "CIDATA"]
    }

    fn read(&self, folder: &Path) -> Result<Option<Data>, SourceError> {
        read_folder(folder)
    }
}

/// Reads the mounted disk at `folder`; `None` if it holds neither file.
pub fn read_folder(folder: &Path) -> Result<Option<Data>, SourceError> {
    let user_data = read(folder, "user-data")?;
    let meta_data = read(folder, "meta-data")?;
    if user_data.is_none() && meta_data.is_none() {
        return Ok(None);
    }
    let mut data = Data {
        user_data: user_data.unwrap_or_default(),
        vendor_data: read(folder, "vendor-data")?.unwrap_or_default(),
        network_config: read(folder, "network-config")?,
        ..Data::default()
    };
    let text = meta_data.unwrap_or_default();
    let meta: Value = serde_yaml::from_slice(&text).map_err(|_| SourceError::Format {
        file: "meta-data".to_owned(),
        expected: "YAML",
    })?;
    let word = |key: &str| match meta.get(key)? {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        // An id or a name of digits is read as a number.
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    data.hostname = word("local-hostname").or_else(|| word("hostname"));
    data.instance_id = word("instance-id");
    data.ssh_keys = keys(meta.get("public-keys"));
    Ok(Some(data))
}

/// A text with a key a line, a list, or keys by name.
fn keys(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => text.lines().map(str::to_owned).collect(),
        Some(Value::Sequence(items)) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Some(Value::Mapping(entries)) => entries
            .values()
            .flat_map(|value| keys(Some(value)))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::read_folder;
    use std::fs;

    #[test]
    fn what_a_disk_says() {
        let dir = std::env::temp_dir().join(format!("nocloud-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        assert_eq!(read_folder(&dir).unwrap(), None);
        fs::write(dir.join("user-data"), "#cloud-config\n").unwrap();
        for (meta, hostname, keys) in [
            ("", None, vec![]),
            (
                "instance-id: i\nlocal-hostname: box\npublic-keys: [a, b]\n",
                Some("box"),
                vec!["a", "b"],
            ),
            ("public-keys: {k: x}\n", None, vec!["x"]),
            ("local-hostname: 5\n", Some("5"), vec![]),
        ] {
            fs::write(dir.join("meta-data"), meta).unwrap();
            let data = read_folder(&dir).unwrap().unwrap();
            assert_eq!(
                (data.hostname.as_deref(), data.ssh_keys),
                (hostname, keys.into_iter().map(str::to_owned).collect())
            );
            assert_eq!(data.user_data, b"#cloud-config\n");
        }
        fs::write(dir.join("network-config"), "version: 2\n").unwrap();
        fs::write(dir.join("vendor-data"), "#!/bin/sh\n").unwrap();
        let data = read_folder(&dir).unwrap().unwrap();
        assert_eq!(data.network_config.as_deref(), Some(&b"version: 2\n"[..]));
        assert_eq!(data.vendor_data, b"#!/bin/sh\n");
        fs::write(dir.join("meta-data"), "{[").unwrap();
        assert!(read_folder(&dir).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
