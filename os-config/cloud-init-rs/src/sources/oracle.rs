//! Oracle Cloud Infrastructure's metadata in version 2, or in version 1 if the service has no version 2.

use serde_json::Value;

use super::json::{self, text_at, texts_at};
use crate::data::InstanceData;
use crate::encoding::base64_or_text;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::query::{LINK_LOCAL, Query};
use crate::source::DataSource;

#[derive(Debug)]
pub(super) struct Oracle;

impl DataSource for Oracle {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.chassis_tag == "OracleCloud.com"
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let root = query.root_or(LINK_LOCAL);
        for version in ["v2", "v1"] {
            let url = format!("{root}/opc/{version}/instance/");
            let answer = query
                .http
                .get(&url, &[("Authorization", "Bearer Oracle")])?;
            if let Some(bytes) = answer {
                return Ok(Some(from_json(&json::parse(&bytes, &url)?)));
            }
        }
        Ok(None)
    }
}

fn from_json(value: &Value) -> InstanceData {
    let user_data = text_at(value, "/metadata/user_data");
    InstanceData {
        user_data: user_data.map_or_else(Vec::new, |text| base64_or_text(&text)),
        hostname: text_at(value, "/hostname").or_else(|| text_at(value, "/displayName")),
        instance_id: text_at(value, "/id"),
        ssh_keys: texts_at(value, "/metadata/ssh_authorized_keys"),
        ..InstanceData::default()
    }
}
