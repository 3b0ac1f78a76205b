//! User-data formats and data sources of cloud-init, without a running system: a data source is given
//! a folder that somebody else has mounted, and says what it holds.

pub mod configdrive;
pub mod mime;
pub mod nocloud;
pub mod user_data;

use std::io::Read;
use std::path::Path;

use thiserror::Error;

pub use user_data::UserData;

/// What a data source says of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// As given: see [`user_data::parse`].
    pub user_data: Vec<u8>,
    pub hostname: Option<String>,
    pub ssh_keys: Vec<String>,
    pub instance_id: Option<String>,
    /// What the provider adds to user-data, in the same formats.
    pub vendor_data: Vec<u8>,
    /// Network configuration, as given: cloud-init's version 1 or 2, or OpenStack's `network_data.json`.
    pub network_config: Option<Vec<u8>>,
}

/// A kind of data source. One on a disk is handed a mounted folder; one on the network will be handed the
/// means to ask, by a method of its own.
pub trait Datasource: std::fmt::Debug {
    /// Its name in `rancher.cloud_init.datasources`.
    fn name(&self) -> &'static str;

    /// Labels of the filesystems that hold it.
    fn labels(&self) -> &'static [&'static str];

    /// Reads the filesystem mounted at `folder`; `None` if it is none of this kind.
    fn read(&self, folder: &Path) -> Result<Option<Data>, SourceError>;
}

/// The data sources that are disks, in the order in which they are looked for.
pub const ON_DISK: [&dyn Datasource; 2] = [&nocloud::NoCloud, &configdrive::ConfigDrive];

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
}

/// A data source's files are a few kilobytes; more than this is not read into memory.
const LARGEST: u64 = 16 << 20;

/// Reads a file of a data source; `None` if it is not there.
fn read(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
    let failed = |error| SourceError::Read {
        file: name.to_owned(),
        error,
    };
    match std::fs::File::open(folder.join(name)) {
        Ok(file) => {
            let mut bytes = Vec::new();
            file.take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
