//! The data sources, a file or a folder each, and the list of them.

mod aliyun;
pub mod attributes;
mod azure;
mod cloudstack;
mod cmdline;
mod configdrive;
mod digitalocean;
mod ec2;
mod exoscale;
mod file;
mod gce;
mod hetzner;
mod json;
mod nocloud;
mod openstack;
mod oracle;
mod packet;
mod scaleway;
mod tftp;
mod url;
mod vmware;
mod vultr;

use crate::source::{Disk, Service};

/// The data sources that are disks, in the order in which they are looked for.
pub const ON_DISK: [&dyn Disk; 4] = [
    &nocloud::disk::NoCloud,
    &configdrive::ConfigDrive,
    &vmware::disk::OvfEnvironment,
    &azure::disk::ProvisioningDisc,
];

/// The others, in the order in which those that detect themselves are asked.
pub const ALL: [&dyn Service; 19] = [
    &file::File,
    &vmware::guestinfo::VMware,
    &nocloud::network::NoCloudNet,
    &cmdline::KernelLine,
    &ec2::Ec2,
    &gce::Gce,
    &azure::network::Azure,
    &digitalocean::DigitalOcean,
    &hetzner::Hetzner,
    &vultr::Vultr,
    &scaleway::Scaleway,
    &exoscale::Exoscale,
    &aliyun::Aliyun,
    &oracle::Oracle,
    &packet::Packet,
    &openstack::OpenStack,
    &cloudstack::CloudStack,
    &url::Url,
    &tftp::Tftp,
];

/// The service of a name in `rancher.cloud_init.datasources`.
pub fn find(name: &str) -> Option<&'static dyn Service> {
    let name = match name {
        "equinix" => "packet",
        "googlecloud" => "gce",
        other => other,
    };
    ALL.into_iter().find(|service| service.name() == name)
}
