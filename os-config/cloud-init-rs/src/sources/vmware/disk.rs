//! The CD with the OVF environment that VMware attaches to a machine (transport `iso`).

use std::path::Path;

use super::keys;
use super::ovf::{FILE, properties, property};
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::folder::read_file;
use crate::source::DataSource;

#[derive(Debug)]
pub(crate) struct OvfEnvironment;

impl DataSource for OvfEnvironment {
    fn name(&self) -> &'static str {
        "ovf"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["OVF ENV", "OVFENV", "ovf-env"]
    }

    fn read(&self, folder: &Path) -> Result<Option<InstanceData>, SourceError> {
        let Some(bytes) = read_file(folder, FILE)? else {
            return Ok(None);
        };
        let properties = properties(&bytes)?;
        keys::data(&|key| property(&properties, key))
    }
}

#[cfg(test)]
mod tests {
    use super::OvfEnvironment;
    use crate::source::DataSource;

    #[test]
    fn an_environment_by_the_references_ids() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        assert_eq!(OvfEnvironment.read(dir).unwrap(), None);
        let property =
            |key: &str, value: &str| format!("<Property oe:key=\"{key}\" oe:value=\"{value}\"/>");
        let text = format!(
            "<Environment xmlns:oe=\"http://schemas.dmtf.org/ovf/environment/1\"><PropertySection>{}{}{}{}</PropertySection></Environment>",
            property("guestinfo.hostname", "box"),
            property("guestinfo.cloud-init.config.url", "http://h/a"),
            property("guestinfo.interface.0.name", "eth0"),
            property("guestinfo.interface.0.dhcp", "yes"),
        );
        std::fs::write(dir.join(super::FILE), text).unwrap();
        let data = OvfEnvironment.read(dir).unwrap().unwrap();
        assert_eq!(data.hostname.as_deref(), Some("box"), "DS-22");
        // The address becomes an include, which is fetched once the network is up.
        assert_eq!(data.user_data, b"#include\nhttp://h/a\n", "DS-22 DS-20");
        assert!(data.network.unwrap().links[0].dhcp, "DS-22");
    }
}
