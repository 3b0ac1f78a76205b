//! Azure's provisioning disc: `ovf-env.xml` in Azure's own form, with custom data in base64.

use std::path::Path;

use roxmltree::Document;

use crate::data::InstanceData;
use crate::encoding::base64_or_text;
use crate::error::SourceError;
use crate::folder::read_file;
use crate::source::DataSource;

const FILE: &str = "ovf-env.xml";
/// The label of the disc's filesystem in every region so far; newer discs have a number as their label.
const LABELS: [&str; 1] = ["rd_rdfe_stable"];

#[derive(Debug)]
pub(crate) struct ProvisioningDisk;

impl DataSource for ProvisioningDisk {
    fn name(&self) -> &'static str {
        "azure-ovf"
    }

    fn labels(&self) -> &'static [&'static str] {
        &LABELS
    }

    fn read(&self, folder: &Path) -> Result<Option<InstanceData>, SourceError> {
        match read_file(folder, FILE)? {
            Some(bytes) => parse(&bytes).map(Some),
            None => Ok(None),
        }
    }
}

/// Reads `ovf-env.xml`: `HostName`, `CustomData` or `UserData`, public keys by value.
pub(crate) fn parse(bytes: &[u8]) -> Result<InstanceData, SourceError> {
    let wrong = || SourceError::format(FILE, "XML of Azure's provisioning");
    let text = std::str::from_utf8(bytes).map_err(|_| wrong())?;
    let document = Document::parse(text).map_err(|_| wrong())?;
    let all = |name: &'static str| {
        document
            .descendants()
            .filter(move |node| node.tag_name().name() == name)
            .filter_map(|node| node.text())
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    };
    if !document
        .descendants()
        .any(|node| node.tag_name().name() == "ProvisioningSection")
    {
        return Err(wrong());
    }
    let custom = all("CustomData").next().or_else(|| all("UserData").next());
    Ok(InstanceData {
        user_data: custom.map_or_else(Vec::new, |text| base64_or_text(&text)),
        hostname: all("HostName").next(),
        ssh_keys: all("Value").filter(|key| key.starts_with("ssh-")).collect(),
        ..InstanceData::default()
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn values_of_the_disc() {
        let text = r#"<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:wa="http://schemas.microsoft.com/windowsazure">
 <wa:ProvisioningSection><wa:Version>1.0</wa:Version>
  <LinuxProvisioningConfigurationSet xmlns="http://schemas.microsoft.com/windowsazure">
   <HostName>cow</HostName><UserName>me</UserName><DisableSshPasswordAuthentication>true</DisableSshPasswordAuthentication>
   <SSH><PublicKeys><PublicKey><Path>/home/me/.ssh/authorized_keys</Path><Value>ssh-rsa AAAA me</Value></PublicKey></PublicKeys></SSH>
   <CustomData>I2Nsb3VkLWNvbmZpZwo=</CustomData>
  </LinuxProvisioningConfigurationSet></wa:ProvisioningSection></Environment>"#;
        let data = parse(text.as_bytes()).unwrap();
        assert_eq!(data.hostname.as_deref(), Some("cow"));
        assert_eq!(data.user_data, b"#cloud-config\n");
        assert_eq!(data.ssh_keys, ["ssh-rsa AAAA me"]);
        for wrong in ["", "<a/>", "<a"] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
