//! The interfaces of data sources.

use std::fmt::Debug;
use std::path::Path;

use crate::data::Data;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::query::Query;

/// A data source on a disk.
pub trait Disk: Debug + Sync {
    /// Its name in `rancher.cloud_init.datasources`.
    fn name(&self) -> &'static str;

    /// Labels of the filesystems that hold it.
    fn labels(&self) -> &'static [&'static str];

    /// Reads the filesystem mounted at `folder`; `None` if it is none of this kind.
    fn read(&self, folder: &Path) -> Result<Option<Data>, SourceError>;
}

/// A data source that is asked when the machine has a network.
pub trait Service: Debug + Sync {
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
