//! The description of a virtual machine in an appliance (OVF 1.0, DSP0243), as VirtualBox and VMware read it.

/// The machine with the disk `file`, which has `file_bytes` bytes in the appliance and `disk_bytes` bytes as a disk.
pub(crate) fn describe(file: &str, file_bytes: u64, disk_bytes: u64) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
  <References>
    <File ovf:href="{file}" ovf:id="file1" ovf:size="{file_bytes}"/>
  </References>
  <DiskSection>
    <Info>The disk</Info>
    <Disk ovf:capacity="{disk_bytes}" ovf:diskId="disk1" ovf:fileRef="file1" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection>
    <Info>The network</Info>
    <Network ovf:name="NAT">
      <Description>The network of the first card</Description>
    </Network>
  </NetworkSection>
  <VirtualSystem ovf:id="PaddockOS">
    <Info>A machine that runs containers</Info>
    <OperatingSystemSection ovf:id="96">
      <Info>Debian, 64 bits</Info>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>The hardware</Info>
      <System>
        <vssd:ElementName>Virtual hardware</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>PaddockOS</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-10</vssd:VirtualSystemType>
      </System>
{items}    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
"#,
        items = items()
    )
}

/// The hardware. Each item has the number of its kind (`CIM_ResourceAllocationSettingData.ResourceType`).
fn items() -> String {
    const ITEMS: [&[(&str, &str)]; 5] = [
        &[("ResourceType", "3"), ("VirtualQuantity", "2")],
        &[
            ("AllocationUnits", "byte * 2^20"),
            ("ResourceType", "4"),
            ("VirtualQuantity", "1024"),
        ],
        &[("ResourceSubType", "AHCI"), ("ResourceType", "20")],
        &[
            ("AddressOnParent", "0"),
            ("HostResource", "ovf:/disk/disk1"),
            ("Parent", "3"),
            ("ResourceType", "17"),
        ],
        &[
            ("AutomaticAllocation", "true"),
            ("Connection", "NAT"),
            ("ResourceSubType", "E1000"),
            ("ResourceType", "10"),
        ],
    ];
    ITEMS
        .iter()
        .enumerate()
        .map(|(index, settings)| {
            let id = (index + 1).to_string();
            let mut settings = settings.to_vec();
            settings.extend([("ElementName", id.as_str()), ("InstanceID", id.as_str())]);
            // The schema has an order, by which VMware reads.
            settings.sort_unstable();
            let settings: String = settings
                .iter()
                .map(|(name, value)| format!("<rasd:{name}>{value}</rasd:{name}>"))
                .collect();
            format!("      <Item>{settings}</Item>\n")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn the_disk_hangs_on_the_controller() {
        let text = describe("disk.vmdk", 10, 4 << 30);
        for part in [
            "ovf:href=\"disk.vmdk\" ovf:id=\"file1\" ovf:size=\"10\"",
            "ovf:capacity=\"4294967296\"",
            "<rasd:InstanceID>3</rasd:InstanceID><rasd:ResourceSubType>AHCI</rasd:ResourceSubType>",
            "<rasd:Parent>3</rasd:Parent>",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(text.matches("<Item>").count(), 5);
    }
}
