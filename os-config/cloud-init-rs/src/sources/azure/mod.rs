//! Azure: the provisioning disc and the instance metadata service.

pub(super) mod disk;
pub(super) mod network;
