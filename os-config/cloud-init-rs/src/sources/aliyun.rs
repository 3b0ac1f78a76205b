//! Alibaba Cloud's metadata: EC2's tree at another address.

use super::attributes::{AttributeNames, Attributes};
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::query::Query;
use crate::source::DataSource;

const ADDRESS: &str = "http://100.100.100.200";

#[derive(Debug)]
pub(super) struct Aliyun;

impl DataSource for Aliyun {
    fn name(&self) -> &'static str {
        "aliyun"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.product == "Alibaba Cloud ECS"
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let tree = Attributes {
            http: query.http,
            base: format!("{}/2016-01-01", query.root_or(ADDRESS)),
            headers: Vec::new(),
        };
        let names = AttributeNames {
            hostname: "hostname",
            private_ipv4: "private-ipv4",
            public_ipv4: "eipv4",
        };
        let Some(mut data) = tree.data(&names)? else {
            return Ok(None);
        };
        for name in tree.lines("meta-data/public-keys/")? {
            let name = name.trim_end_matches('/');
            let key = tree.first(&format!("meta-data/public-keys/{name}/openssh-key"))?;
            data.ssh_keys.extend(key);
        }
        Ok(Some(data))
    }
}
