//! The OVF environment (DMTF DSP0243, section 11): properties by name. It is on a CD or
//! in guestinfo.

use roxmltree::Document;

use crate::error::SourceError;

/// The file on the CD.
pub(super) const FILE: &str = "ovf-env.xml";

/// The properties of an environment, in the document's order.
pub(super) fn properties(bytes: &[u8]) -> Result<Vec<(String, String)>, SourceError> {
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

/// The value of a property, whose name may begin with `guestinfo.`.
pub(super) fn property(properties: &[(String, String)], key: &str) -> Option<String> {
    let known = properties
        .iter()
        .find(|(name, _)| name.strip_prefix("guestinfo.").unwrap_or(name) == key);
    known.map(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    use super::properties;

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
