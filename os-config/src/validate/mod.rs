//! Finds the problems of single documents.

mod document;
pub(crate) mod misplaced;

pub use document::{located, validate, validate_document};
