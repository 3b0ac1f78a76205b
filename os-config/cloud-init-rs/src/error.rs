//! Why a data source cannot be used.

use thiserror::Error;

use crate::http::HttpError;

/// The data source exists, but reading it fails.
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
    Http(#[from] HttpError),
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
