//! Defaults that are part of the programs: with them, a damaged image still gives a configuration.

use std::sync::LazyLock;

use serde_yaml::Value;

use crate::yaml::{dotted, scalar};

/// The defaults that the image ships, without the services that the build adds.
pub const DEFAULTS: &str = include_str!("../defaults/os-config.yml");

/// [`DEFAULTS`], read once: a load asks for the default of many keys.
static PARSED: LazyLock<Value> =
    LazyLock::new(|| serde_yaml::from_str(DEFAULTS).unwrap_or_default());

/// The default of the key at a dotted path, as a text; `None` for a key without one.
pub(crate) fn text(path: &str) -> Option<String> {
    dotted::get(&PARSED, path).and_then(scalar::text)
}
