//! The list of all data sources. Azure, NoCloud and VMware have a folder each, any other source has a file.
//! `attributes` and `json` read answers in forms that several services share.

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

use crate::source::DataSource;

/// All data sources. Disks come first, in the order of the search; the other sources follow, in the order in
/// which they are asked once they detect themselves.
pub const ALL: [&dyn DataSource; 23] = [
    &nocloud::disk::NoCloud,
    &configdrive::ConfigDrive,
    &vmware::disk::OvfEnvironment,
    &azure::disk::ProvisioningDisk,
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

/// The source of a name in `rancher.cloud_init.datasources`.
pub fn find(name: &str) -> Option<&'static dyn DataSource> {
    let name = match name {
        "equinix" => "packet",
        "googlecloud" => "gce",
        other => other,
    };
    ALL.into_iter().find(|source| source.name() == name)
}
