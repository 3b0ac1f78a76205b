//! User-data from an address that the configuration names: `url:https://…`.

use crate::data::InstanceData;
use crate::error::SourceError;
use crate::query::Query;
use crate::source::DataSource;

#[derive(Debug)]
pub(super) struct Url;

impl DataSource for Url {
    fn name(&self) -> &'static str {
        "url"
    }

    fn fetch(&self, query: &Query<'_>) -> Result<Option<InstanceData>, SourceError> {
        let url = query
            .root
            .ok_or_else(|| SourceError::Other("name the address: url:http://…".to_owned()))?;
        user_data_at(query, url)
    }
}

/// Fetches a document. A second request would fail at an address that answers only once.
pub(crate) fn user_data_at(
    query: &Query<'_>,
    url: &str,
) -> Result<Option<InstanceData>, SourceError> {
    let found = query.http.get(url, &[])?;
    Ok(found.map(|user_data| InstanceData {
        user_data,
        user_data_address: Some(url.to_owned()),
        ..InstanceData::default()
    }))
}
