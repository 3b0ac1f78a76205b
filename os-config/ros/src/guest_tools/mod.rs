//! The hypervisor of a virtual machine, and the service with its guest tools: `rancher.hypervisor_service`.

mod detection;
mod hypervisor;

pub(crate) use crate::guest_tools::detection::GuestTools;
