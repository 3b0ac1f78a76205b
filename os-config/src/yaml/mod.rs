//! YAML for configurations: a tree with positions, scalars, dotted paths.

pub(crate) mod parse;
pub(crate) mod path;
pub(crate) mod tree;

pub mod dotted;
pub(crate) mod scalar;
