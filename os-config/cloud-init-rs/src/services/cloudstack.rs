//! Apache CloudStack's metadata, which the virtual router serves that is the DHCP server as well.

use super::attributes::Attributes;
use crate::{Asking, Data, Machine, Service, SourceError};

/// The data source.
#[derive(Debug)]
pub struct CloudStack;

impl Service for CloudStack {
    fn name(&self) -> &'static str {
        "cloudstack"
    }

    fn detect(&self, machine: &Machine) -> bool {
        machine.product.starts_with("CloudStack") || machine.vendor == "Apache Software Foundation"
    }

    fn fetch(&self, asking: &Asking<'_>) -> Result<Option<Data>, SourceError> {
        let servers = asking.machine.dhcp_servers.iter();
        let roots: Vec<String> = match asking.root {
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
            last = read(&Attributes {
                http: asking.http,
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

/// What a tree of CloudStack's kind says.
pub(crate) fn read(tree: &Attributes<'_>) -> Result<Option<Data>, SourceError> {
    if tree.bytes("meta-data/")?.is_none() {
        return Ok(None);
    }
    let mut data = Data {
        user_data: tree.bytes("user-data")?.unwrap_or_default(),
        hostname: tree.word("meta-data/local-hostname")?,
        instance_id: tree.first("meta-data/instance-id")?,
        ssh_keys: tree.lines("meta-data/public-keys")?,
        ..Data::default()
    };
    data.addresses.private_ipv4 = tree.first("meta-data/local-ipv4")?;
    data.addresses.public_ipv4 = tree.first("meta-data/public-ipv4")?;
    Ok(Some(data))
}
