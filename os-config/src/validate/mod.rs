//! Finds the problems of single documents.

mod document;
pub(crate) mod misplaced;

pub use document::{validate, validate_document};
