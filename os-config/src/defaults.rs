//! Defaults that are part of the programs: with them, a damaged image still gives a configuration.

use serde_yaml::Value;

use crate::yaml::{dotted, scalar};

/// The defaults that the image ships, without the services that the build adds.
pub const DEFAULTS: &str = include_str!("../defaults/os-config.yml");

/// The default of the key at a dotted path, as a text; `None` for a key without one.
pub(crate) fn text(path: &str) -> Option<String> {
    let defaults: Value = serde_yaml::from_str(DEFAULTS).ok()?;
    dotted::get(&defaults, path).and_then(scalar::text)
}
