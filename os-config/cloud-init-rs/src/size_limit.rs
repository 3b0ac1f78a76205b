//! The limit for a file or an answer of a data source.

/// A data source's files are a few kilobytes; more than this is not read into memory.
pub(crate) const SIZE_LIMIT: u64 = 16 << 20;
