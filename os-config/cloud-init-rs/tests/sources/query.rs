//! Asks data sources whose services are mocks.

use std::time::Duration;

use crate::mock::Mock;
use cloud_init_rs::sources::find;
use cloud_init_rs::{Client, Firmware, InstanceData, Query, SourceError};
use serde_json::Value;

pub(crate) fn ask(name: &str, root: &str) -> Result<Option<InstanceData>, SourceError> {
    ask_within(name, root, Duration::from_secs(10))
}

pub(crate) fn ask_within(
    name: &str,
    root: &str,
    patience: Duration,
) -> Result<Option<InstanceData>, SourceError> {
    let service = find(name).unwrap_or_else(|| panic!("no service {name}"));
    service.fetch(&Query {
        http: &Client::new(patience),
        firmware: &Firmware::default(),
        root: Some(root),
    })
}

/// Asks a service that answers GETs from a table.
pub(crate) fn ask_table(name: &str, entries: &[(&str, &str)]) -> InstanceData {
    ask(name, &Mock::table(entries).root)
        .unwrap()
        .unwrap_or_default()
}

pub(crate) fn interfaces(data: &InstanceData) -> Value {
    let network = data
        .network
        .as_ref()
        .map(|network| network.to_cloud_config());
    network.map_or(Value::Null, |config| {
        config["rancher"]["network"]["interfaces"].clone()
    })
}

pub(crate) fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}
