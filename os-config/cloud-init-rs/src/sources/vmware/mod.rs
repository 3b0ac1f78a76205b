//! VMware: the OVF environment on a CD and the guestinfo keys of the hypervisor.

pub mod disk;
pub mod keys;
