//! The limit for a file or an answer of a data source, in bytes.

/// Real files are a few kilobytes; the limit keeps a wrong file from filling the memory.
pub(crate) const SIZE_LIMIT: u64 = 16 << 20;
