//! VMware's guestinfo, which a `vmx` file, the API or an OVF environment fills. The machine reads it through
//! an I/O port of the hypervisor.

use std::path::Path;

use super::keys;
use super::ovf::{properties, property};
use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::folder::read_file;
use crate::query::Query;
use crate::source::DataSource;

#[derive(Debug)]
pub(crate) struct VMware;

impl DataSource for VMware {
    fn name(&self) -> &'static str {
        "vmware"
    }

    fn needs_network(&self, _: &Firmware) -> bool {
        false
    }

    fn detect(&self, firmware: &Firmware) -> bool {
        firmware.vendor == "VMware, Inc." || firmware.product.starts_with("VMware")
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let environment = match query.root {
            Some(file) => read_file(Path::new("/"), file)?,
            None => guestinfo("guestinfo.ovfenv")?.map(String::into_bytes),
        };
        let properties = match environment {
            Some(bytes) if !bytes.trim_ascii().is_empty() => properties(&bytes)?,
            _ => Vec::new(),
        };
        let from_environment = keys::data(&|key| property(&properties, key))?;
        match from_environment {
            Some(found) => Ok(Some(found)),
            None if query.root.is_some() => Ok(None),
            None => keys::data(&|key| guestinfo(&format!("guestinfo.{key}")).ok().flatten()),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn guestinfo(key: &str) -> Result<Option<String>, SourceError> {
    let failed = |error: vmw_backdoor::VmwError| {
        SourceError::Other(format!("asking the hypervisor for {key}: {error}"))
    };
    if !vmw_backdoor::is_vmware_cpu() {
        return Err(SourceError::Other(
            "this machine does not run on VMware".to_owned(),
        ));
    }
    let mut guard = vmw_backdoor::probe_backdoor_privileged().map_err(failed)?;
    let mut channel = guard.open_enhanced_chan().map_err(failed)?;
    let value = channel.get_guestinfo(key.as_bytes()).map_err(failed)?;
    Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(not(target_arch = "x86_64"))]
fn guestinfo(_: &str) -> Result<Option<String>, SourceError> {
    Ok(None)
}
