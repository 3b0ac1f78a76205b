//! NoCloud: a disk labelled `cidata` with `user-data` and `meta-data` (cloud-init's documentation,
//! "NoCloud").

use std::path::Path;

use super::meta_data::add_meta_data;
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::folder::read_file;
use crate::network;
use crate::source::DataSource;

#[derive(Debug)]
pub(crate) struct NoCloud;

impl DataSource for NoCloud {
    fn name(&self) -> &'static str {
        "nocloud"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["cidata", "CIDATA"]
    }

    fn read(&self, folder: &Path) -> Result<Option<InstanceData>, SourceError> {
        read_folder(folder)
    }
}

/// Reads the mounted disk at `folder`; `None` if it has neither `user-data` nor `meta-data`.
pub(super) fn read_folder(folder: &Path) -> Result<Option<InstanceData>, SourceError> {
    let user_data = read_file(folder, "user-data")?;
    let meta_data = read_file(folder, "meta-data")?;
    if user_data.is_none() && meta_data.is_none() {
        return Ok(None);
    }
    let mut data = InstanceData {
        user_data: user_data.unwrap_or_default(),
        vendor_data: read_file(folder, "vendor-data")?.unwrap_or_default(),
        ..InstanceData::default()
    };
    if let Some(bytes) = read_file(folder, "network-config")? {
        data.network = network::parse(&bytes, &mut data.problems);
    }
    add_meta_data(&mut data, &meta_data.unwrap_or_default())?;
    Ok(Some(data))
}

#[cfg(test)]
mod tests {
    use super::read_folder;
    use std::fs;

    #[test]
    fn files_of_a_disk() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        assert_eq!(read_folder(dir).unwrap(), None);
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
            let data = read_folder(dir).unwrap().unwrap();
            assert_eq!(
                (data.hostname.as_deref(), data.ssh_keys),
                (hostname, keys.into_iter().map(str::to_owned).collect())
            );
            assert_eq!(data.user_data, b"#cloud-config\n");
        }
        fs::write(
            dir.join("network-config"),
            "version: 2\nethernets: {eth0: {dhcp4: true}}\n",
        )
        .unwrap();
        fs::write(dir.join("vendor-data"), "#!/bin/sh\n").unwrap();
        let data = read_folder(dir).unwrap().unwrap();
        assert!(data.network.is_some_and(|network| network.links[0].dhcp));
        assert_eq!(data.vendor_data, b"#!/bin/sh\n");
        fs::write(dir.join("meta-data"), "{[").unwrap();
        assert!(read_folder(dir).is_err());
    }
}
