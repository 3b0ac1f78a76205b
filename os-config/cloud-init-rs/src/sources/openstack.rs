//! OpenStack's metadata service: the files of its config drive over HTTP.

use super::configdrive;
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::network;
use crate::query::{LINK_LOCAL, Query};
use crate::source::DataSource;

/// SMBIOS products of OpenStack.
const PRODUCTS: [&str; 2] = ["OpenStack Nova", "OpenStack Compute"];
/// SMBIOS chassis tags of OpenStack and of clouds that are built with it.
const CHASSIS: [&str; 7] = [
    "OpenStack Nova",
    "OpenStack Compute",
    "HUAWEICLOUD",
    "OpenTelekomCloud",
    "SAP CCloud VM",
    "Samsung Cloud Platform",
    "VMware Integrated OpenStack",
];

#[derive(Debug)]
pub(super) struct OpenStack;

impl DataSource for OpenStack {
    fn name(&self) -> &'static str {
        "openstack"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        PRODUCTS.contains(&firmware.product.as_str())
            || CHASSIS.contains(&firmware.chassis_tag.as_str())
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let base = format!("{}/openstack/latest", query.root_or(LINK_LOCAL));
        let get = |name: &str| query.http.get(&format!("{base}/{name}"), &[]);
        let Some(meta_data) = get("meta_data.json")? else {
            return Ok(None);
        };
        let mut data = InstanceData {
            user_data: get("user_data")?.unwrap_or_default(),
            ..InstanceData::default()
        };
        configdrive::add_meta_data(&mut data, &meta_data)?;
        if let Some(bytes) = get("vendor_data.json")? {
            data.vendor_data = configdrive::vendor_data(&bytes);
        }
        if let Some(bytes) = get("network_data.json")? {
            data.network = network::parse(&bytes, &mut data.problems);
        }
        Ok(Some(data))
    }
}
