//! User-data formats and data sources of cloud-init, without a running system: a data source on a disk
//! is given a folder that somebody else has mounted, one on the network the means to ask, and each says
//! what it found.

pub mod address;
pub mod firmware;
pub mod http;
pub mod network;
pub mod sources;
pub mod tftp;
pub mod user_data;

use std::io::Read;
use std::path::Path;

use thiserror::Error;

pub use address::Addresses;
pub use firmware::Firmware;
pub use http::Client;
pub use network::Network;
pub use user_data::UserData;

/// What a data source says of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// As given: see [`user_data::parts`].
    pub user_data: Vec<u8>,
    pub hostname: Option<String>,
    pub ssh_keys: Vec<String>,
    pub instance_id: Option<String>,
    /// What the provider adds to user-data, in the same formats.
    pub vendor_data: Vec<u8>,
    pub network: Option<Network>,
    pub addresses: Addresses,
    /// The disk that the system runs from, where the provider says so: `/dev/xvda`.
    pub root_disk: Option<String>,
    /// What of the source could not be used, in words.
    pub problems: Vec<String>,
}

/// A data source on a disk.
pub trait Disk: std::fmt::Debug + Sync {
    /// Its name in `rancher.cloud_init.datasources`.
    fn name(&self) -> &'static str;

    /// Labels of the filesystems that hold it.
    fn labels(&self) -> &'static [&'static str];

    /// Reads the filesystem mounted at `folder`; `None` if it is none of this kind.
    fn read(&self, folder: &Path) -> Result<Option<Data>, SourceError>;
}

/// A data source that is asked when the machine has a network.
pub trait Service: std::fmt::Debug + Sync {
    /// Its name in `rancher.cloud_init.datasources`.
    fn name(&self) -> &'static str;

    /// Whether firmware or kernel line say that this source is there. What runs the machine (KVM, Xen)
    /// says nothing about that.
    fn detect(&self, firmware: &Firmware) -> bool;

    /// Whether it can be asked before there is a network.
    fn needs_network(&self, _: &Firmware) -> bool {
        true
    }

    /// Asks; `None` if the service answers and knows nothing.
    fn fetch(&self, query: &Query<'_>) -> Result<Option<Data>, SourceError>;
}

/// What a [`Service`] asks with.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub http: &'a Client,
    pub firmware: &'a Firmware,
    /// What stands behind the colon of `name:root`, in place of the service's own address.
    pub root: Option<&'a str>,
}

impl Query<'_> {
    /// The root without a slash at its end, or `usual`.
    pub(crate) fn root_or<'a>(&'a self, usual: &'a str) -> &'a str {
        self.root.unwrap_or(usual).trim_end_matches('/')
    }
}

/// The data sources that are disks, in the order in which they are looked for.
pub const ON_DISK: [&dyn Disk; 4] = [
    &sources::nocloud::disk::NoCloud,
    &sources::configdrive::ConfigDrive,
    &sources::vmware::disk::OvfEnvironment,
    &sources::azure::disk::ProvisioningDisc,
];

/// A data source that is there but cannot be used.
#[derive(Debug, Error)]
pub enum SourceError {
    #[error("reading {file}: {error}")]
    Read { file: String, error: std::io::Error },
    #[error("{file}: expected {expected}")]
    Format {
        file: String,
        expected: &'static str,
    },
    #[error(transparent)]
    Http(#[from] http::HttpError),
    #[error("{0}")]
    Other(String),
}

impl SourceError {
    pub(crate) fn format(file: &str, expected: &'static str) -> Self {
        Self::Format {
            file: file.to_owned(),
            expected,
        }
    }
}

/// A data source's files are a few kilobytes; more than this is not read into memory.
pub(crate) const SIZE_LIMIT: u64 = 16 << 20;

/// Reads a file of a data source; `None` if it is not there.
pub(crate) fn read_file(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
    let failed = |error| SourceError::Read {
        file: name.to_owned(),
        error,
    };
    match std::fs::File::open(folder.join(name)) {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(SIZE_LIMIT)
                .read_to_end(&mut bytes)
                .map_err(failed)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
