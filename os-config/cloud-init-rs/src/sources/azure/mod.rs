//! Azure: the provisioning disc and the instance metadata service.

pub mod disk;
pub mod network;
