//! The environment that VMware hands over on a CD (transport `iso`): `ovf-env.xml` with properties by name
//! (DMTF DSP0243, section 11).

use std::path::Path;

use roxmltree::Document;

use super::keys;
use crate::{Data, Disk, SourceError, read_file};

const FILE: &str = "ovf-env.xml";

/// The data source.
#[derive(Debug)]
pub struct OvfEnvironment;

impl Disk for OvfEnvironment {
    fn name(&self) -> &'static str {
        "ovf"
    }

    fn labels(&self) -> &'static [&'static str] {
        &["OVF ENV", "OVFENV", "ovf-env"]
    }

    fn read(&self, folder: &Path) -> Result<Option<Data>, SourceError> {
        let Some(bytes) = read_file(folder, FILE)? else {
            return Ok(None);
        };
        let properties = properties(&bytes)?;
        keys::data(&|key| property(&properties, key))
    }
}

/// The properties of an environment, in the document's order.
pub fn properties(bytes: &[u8]) -> Result<Vec<(String, String)>, SourceError> {
    let wrong = || SourceError::format(FILE, "XML of an OVF environment");
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    let document = Document::parse(text).map_err(|_| wrong())?;
    let attribute = |node: &roxmltree::Node<'_, '_>, name: &str| {
        let found = node
            .attributes()
            .find(|attribute| attribute.name() == name)?;
        Some(found.value().to_owned())
    };
    Ok(document
        .descendants()
        .filter(|node| node.tag_name().name() == "Property")
        .filter_map(|node| Some((attribute(&node, "key")?, attribute(&node, "value")?)))
        .collect())
}

/// The value of a property, with or without `guestinfo.` before its name.
pub(crate) fn property(properties: &[(String, String)], key: &str) -> Option<String> {
    let known = properties
        .iter()
        .find(|(name, _)| name.strip_prefix("guestinfo.").unwrap_or(name) == key);
    known.map(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    use super::{OvfEnvironment, properties};
    use crate::Disk;

    #[test]
    fn an_environment_by_the_references_ids() {
        let dir = std::env::temp_dir().join(format!("ovf-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        assert_eq!(OvfEnvironment.read(&dir).unwrap(), None);
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
        let data = OvfEnvironment.read(&dir).unwrap().unwrap();
        assert_eq!(data.hostname.as_deref(), Some("box"), "DS-22");
        // Fetched with whatever else user-data includes.
        assert_eq!(data.user_data, b"#include\nhttp://h/a\n", "DS-22 DS-20");
        assert!(data.network.unwrap().links[0].dhcp, "DS-22");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn properties_by_name() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:oe="http://schemas.dmtf.org/ovf/environment/1" oe:id="">
  <PropertySection>
    <Property oe:key="guestinfo.hostname" oe:value="box"/>
    <Property oe:key="user-data" oe:value="I2Nsb3VkLWNvbmZpZwo="/>
  </PropertySection>
</Environment>"#;
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            properties(text.as_bytes()).unwrap(),
            [
                pair("guestinfo.hostname", "box"),
                pair("user-data", "I2Nsb3VkLWNvbmZpZwo=")
            ]
        );
        for wrong in [&b"<a"[..], b"", b"\xff"] {
            assert!(properties(wrong).is_err());
        }
    }
}
