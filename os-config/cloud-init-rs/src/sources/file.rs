//! User-data from a file of the machine: `file:/path`.

use std::path::Path;

use crate::{Asking, Data, Machine, Service, SourceError, read};

/// The data source.
#[derive(Debug)]
pub struct File;

impl Service for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn needs_network(&self, _: &Machine) -> bool {
        false
    }

    fn detect(&self, _: &Machine) -> bool {
        false
    }

    fn fetch(&self, asking: &Asking<'_>) -> Result<Option<Data>, SourceError> {
        let path = asking
            .root
            .ok_or_else(|| SourceError::Other("name the file: file:/path".to_owned()))?;
        let found = read(Path::new("/"), path)?;
        Ok(found.map(|user_data| Data {
            user_data,
            ..Data::default()
        }))
    }
}
