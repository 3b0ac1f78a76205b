//! Reads the files of a data source from a folder.

use std::io::Read;
use std::path::Path;

use crate::error::SourceError;
use crate::size_limit::SIZE_LIMIT;

/// Reads a file of a data source; `None` if it does not exist.
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
