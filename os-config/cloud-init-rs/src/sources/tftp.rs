//! User-data from a TFTP server: `tftp:host[:port]/path`.

use crate::{Asking, Data, Machine, Service, SourceError, tftp};

/// The data source.
#[derive(Debug)]
pub struct Tftp;

impl Service for Tftp {
    fn name(&self) -> &'static str {
        "tftp"
    }

    fn detect(&self, _: &Machine) -> bool {
        false
    }

    fn fetch(&self, asking: &Asking<'_>) -> Result<Option<Data>, SourceError> {
        let place = asking.root.and_then(tftp::Place::parse).ok_or_else(|| {
            SourceError::Other("name server and file: tftp:host[:port]/path".to_owned())
        })?;
        let found = tftp::get(&place, asking.http.until())
            .map_err(|error| SourceError::Other(format!("tftp {place}: {error}")))?;
        Ok(found.map(|user_data| Data {
            user_data,
            ..Data::default()
        }))
    }
}
