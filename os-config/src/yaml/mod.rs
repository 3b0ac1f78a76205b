//! YAML for configurations: a tree with positions, scalars, dotted paths, merging.

pub(crate) mod parse;
pub(crate) mod path;
pub(crate) mod tree;

pub mod dotted;
pub mod merge;
pub(crate) mod scalar;
