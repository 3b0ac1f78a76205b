//! Why user-data cannot be used.

use thiserror::Error;

/// Why a document of user-data cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UserDataError {
    #[error("expected a first line `#cloud-config`, `#compose`, `#include` or `#!…`, found {shown}", shown = quoted(.0))]
    Unknown(String),
    #[error("expected a text or gzip, found other data (not UTF-8)")]
    Binary,
    #[error("it is {0}, which is not understood; give a plain `#cloud-config`")]
    Unsupported(&'static str),
    #[error("it is MIME that cannot be taken apart: {0}")]
    Mime(&'static str),
    #[error("it is gzip that cannot be unpacked, or unpacks to more than 16 MB")]
    Gzip,
    #[error("the documents of user-data hold more than 16 MB together")]
    TooLarge,
    #[error("expected compose services after `#compose`")]
    Compose,
    #[error("expected a list of documents after `#cloud-config-archive`")]
    Archive,
    #[error("{url}, which it includes: {reason}")]
    Include { url: String, reason: String },
}

/// A text in quotes, as the document has it, but with its control characters escaped.
fn quoted(text: &str) -> String {
    let mut shown = String::from("\"");
    for c in text.chars() {
        match c {
            c if c.is_control() => shown.extend(c.escape_debug()),
            c => shown.push(c),
        }
    }
    shown.push('"');
    shown
}
