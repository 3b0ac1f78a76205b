//! Exoscale's metadata: CloudStack's, at a fixed address.

use super::LINK_LOCAL;
use super::attributes::Attributes;
use super::cloudstack;
use crate::{Data, Firmware, Query, Service, SourceError};

/// The data source.
#[derive(Debug)]
pub struct Exoscale;

impl Service for Exoscale {
    fn name(&self) -> &'static str {
        "exoscale"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.product.starts_with("Exoscale") || firmware.vendor == "Exoscale"
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<Data>, SourceError> {
        cloudstack::read_tree(&Attributes {
            http: query.http,
            base: format!("{}/1.0", query.root_or(LINK_LOCAL)),
            headers: Vec::new(),
        })
    }
}
