//! User-data from a file of the machine: `file:/path`.

use std::path::Path;

use crate::data::InstanceData;
use crate::error::SourceError;
use crate::firmware::Firmware;
use crate::folder::read_file;
use crate::query::Query;
use crate::source::DataSource;

#[derive(Debug)]
pub(super) struct File;

impl DataSource for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn needs_network(&self, _: &Firmware) -> bool {
        false
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let path = query
            .root
            .ok_or_else(|| SourceError::Other("name the file: file:/path".to_owned()))?;
        let found = read_file(Path::new("/"), path)?;
        Ok(found.map(|user_data| InstanceData {
            user_data,
            ..InstanceData::default()
        }))
    }
}
