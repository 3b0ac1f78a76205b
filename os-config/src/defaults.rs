//! Defaults that are part of the programs: with them, a damaged image still gives a configuration.

/// The defaults that the image ships, without the services that the build adds.
pub const DEFAULTS: &str = include_str!("../defaults/os-config.yml");
