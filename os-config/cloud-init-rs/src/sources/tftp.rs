//! User-data from a TFTP server: `tftp:host[:port]/path`.

use crate::data::InstanceData;
use crate::error::SourceError;
use crate::query::Query;
use crate::source::DataSource;
use crate::tftp;

#[derive(Debug)]
pub(super) struct Tftp;

impl DataSource for Tftp {
    fn name(&self) -> &'static str {
        "tftp"
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let location = query.root.and_then(tftp::Location::parse).ok_or_else(|| {
            SourceError::Other("name server and file: tftp:host[:port]/path".to_owned())
        })?;
        let found = tftp::get(&location, query.http.deadline())
            .map_err(|error| SourceError::Other(format!("tftp {location}: {error}")))?;
        Ok(found.map(|user_data| InstanceData {
            user_data,
            user_data_address: Some(format!("tftp://{location}")),
            ..InstanceData::default()
        }))
    }
}
