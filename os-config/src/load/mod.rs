//! Reads the layers of the configuration below a root and merges them.
//!
//! Nothing fails here: a layer that cannot be read is replaced by its last good copy or left out, a value
//! that does not fit is left out before it can hide a lower layer's, and the problem is returned beside
//! the configuration that the rest makes.

mod choices;
pub(crate) mod expand;
mod export;
mod files;
pub mod include;
mod last_good;
mod layer;
mod layers;
pub mod legacy_names;
mod metadata;
mod pipeline;
mod secrets;

pub use export::export;
pub use files::files;
pub use last_good::remember_good;
pub use pipeline::{Loaded, document, load, load_choosing};

#[cfg(test)]
mod tests;
