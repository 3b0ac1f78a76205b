//! VMware: the OVF environment on a CD and the guestinfo keys of the hypervisor.

pub(super) mod disk;
pub(super) mod guestinfo;
mod keys;
mod ovf;
