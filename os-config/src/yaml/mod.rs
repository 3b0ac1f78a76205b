//! YAML as configurations need it: a tree with positions, scalars, dotted paths, merging.

pub mod dotted;
pub mod merge;
pub(crate) mod node;
pub(crate) mod scalar;
#[allow(clippy::module_inception)]
pub(crate) mod yaml;
