//! Exoscale's metadata: CloudStack's, at a fixed address.

use super::LINK_LOCAL;
use super::attributes::Attributes;
use super::cloudstack;
use crate::{Asking, Data, Machine, Service, SourceError};

/// The data source.
#[derive(Debug)]
pub struct Exoscale;

impl Service for Exoscale {
    fn name(&self) -> &'static str {
        "exoscale"
    }

    fn detect(&self, machine: &Machine) -> bool {
        machine.product.starts_with("Exoscale") || machine.vendor == "Exoscale"
    }

    fn fetch(&self, asking: &Asking<'_>) -> Result<Option<Data>, SourceError> {
        cloudstack::read(&Attributes {
            http: asking.http,
            base: format!("{}/1.0", asking.root_or(LINK_LOCAL)),
            headers: Vec::new(),
        })
    }
}
