//! Apache CloudStack's metadata. The virtual router serves it and is the DHCP server too.

use super::attributes::{AttributeNames, Attributes};
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::query::Query;
use crate::source::DataSource;

#[derive(Debug)]
pub(super) struct CloudStack;

impl DataSource for CloudStack {
    fn name(&self) -> &'static str {
        "cloudstack"
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.product.starts_with("CloudStack")
            || firmware.vendor == "Apache Software Foundation"
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let servers = query.firmware.dhcp_servers.iter();
        let roots: Vec<String> = match query.root {
            Some(root) => vec![root.trim_end_matches('/').to_owned()],
            None => servers.map(|server| format!("http://{server}")).collect(),
        };
        if roots.is_empty() {
            return Err(SourceError::Other(
                "no DHCP server gave this machine its address; name the router: cloudstack:http://ADDRESS"
                    .to_owned(),
            ));
        }
        let mut last = Ok(None);
        for root in roots {
            last = read_tree(&Attributes {
                http: query.http,
                base: format!("{root}/latest"),
                headers: Vec::new(),
            });
            if matches!(last, Ok(Some(_))) {
                return last;
            }
        }
        last
    }
}

/// Reads a tree with CloudStack's names.
pub(crate) fn read_tree(tree: &Attributes<'_>) -> Result<Option<InstanceData>, SourceError> {
    let names = AttributeNames {
        hostname: "local-hostname",
        private_ipv4: "local-ipv4",
        public_ipv4: "public-ipv4",
    };
    let Some(mut data) = tree.data(&names)? else {
        return Ok(None);
    };
    data.ssh_keys = tree.lines("meta-data/public-keys")?;
    Ok(Some(data))
}
