//! Reads the layers of the configuration below a root and merges them.
//!
//! Loading never fails. The last good copy replaces an unreadable layer, or the layer is left out. A wrong value is
//! left out before it can hide a lower layer's. The problems come beside the configuration.

mod choices;
mod disclosure;
mod environment;
pub(crate) mod expand;
mod files;
mod guest_tools;
pub mod include;
mod layers;
pub mod legacy_names;
mod metadata;
mod pipeline;
mod type_check;

pub use crate::load::disclosure::export::{Export, export};
pub use crate::load::last_good_copies::save_last_good;
pub use files::{VENDOR_FILES, files};
pub use pipeline::{LoadedConfig, document, hidden_texts, load, load_with_choices, unknown_names};

mod last_good_copies;
#[cfg(test)]
mod tests;
