//! The interface of all data sources.

use std::fmt::Debug;
use std::path::Path;

use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::query::Query;

/// A source of user-data and metadata. A disk is found by its label and read; every other source is asked.
pub trait DataSource: Debug + Sync {
    /// Its name in `rancher.cloud_init.datasources`.
    fn name(&self) -> &'static str;

    /// Labels of the filesystems that hold it; empty for a source that is no disk.
    fn labels(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the source is a disk.
    fn is_disk(&self) -> bool {
        !self.labels().is_empty()
    }

    /// Reads the filesystem mounted at `folder`; `None` if the filesystem does not hold this source.
    fn read(&self, _folder: &Path) -> Result<Option<InstanceData>, SourceError> {
        Ok(None)
    }

    /// Whether firmware or kernel line name this source. A source that they cannot name is asked only if the
    /// configuration names it. A hypervisor (KVM, Xen) does not tell which cloud runs it.
    fn detect(&self, _: &Firmware) -> bool {
        false
    }

    /// Whether the source can be asked only after the network is up.
    fn needs_network(&self, _: &Firmware) -> bool {
        !self.is_disk()
    }

    /// Asks the source; `None` if it answers and does not know this machine.
    fn fetch(&self, _: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        Ok(None)
    }
}
