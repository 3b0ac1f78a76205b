//! The data source that this boot has found: later processes need not search for it.

use anyhow::{Context, Result};
use host::paths::DATASOURCE_FOUND;

/// The name of the data source; `None` if this boot has found no data source.
pub(super) fn read() -> Option<String> {
    std::fs::read_to_string(DATASOURCE_FOUND).ok()
}

pub(super) fn write(name: &str) -> Result<()> {
    // The file is in memory.
    std::fs::write(DATASOURCE_FOUND, name).with_context(|| format!("writing {DATASOURCE_FOUND}"))
}
