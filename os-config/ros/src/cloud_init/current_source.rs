//! The data source that this boot has found: later processes need not search for it.

use anyhow::{Context, Result};

/// Holds the name of the data source.
const FILE: &str = "/run/ros/datasource-found";

/// The name of the data source; `None` if this boot has found no data source.
pub(super) fn read() -> Option<String> {
    std::fs::read_to_string(FILE).ok()
}

pub(super) fn write(name: &str) -> Result<()> {
    // The file is in memory.
    std::fs::write(FILE, name).with_context(|| format!("writing {FILE}"))
}
