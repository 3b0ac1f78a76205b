//! Exoscale's metadata: CloudStack's, at a fixed address.

use super::attributes::Attributes;
use super::cloudstack;
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::query::{LINK_LOCAL, Query};
use crate::source::DataSource;

#[derive(Debug)]
pub(super) struct Exoscale;

impl DataSource for Exoscale {
    fn name(&self) -> &'static str {
        "exoscale"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.product.starts_with("Exoscale") || firmware.vendor == "Exoscale"
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        cloudstack::read_tree(&Attributes {
            http: query.http,
            base: format!("{}/1.0", query.root_or(LINK_LOCAL)),
            headers: Vec::new(),
        })
    }
}
