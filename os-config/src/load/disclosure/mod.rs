//! What of a configuration leaves the machine: exports, and the values that they leave out.

pub(crate) mod export;
pub(crate) mod public_part;
pub(crate) mod secrets;
