//! Takes user-data apart into documents.

mod archive;
mod document;
mod error;
mod mime;

use std::io::Read;

use crate::encoding::decode_base64;
use crate::size_limit::SIZE_LIMIT;

pub use document::UserData;
pub use error::UserDataError;

/// Real user-data nests MIME in gzip and gzip in MIME, but no deeper.
const MAX_DEPTH: usize = 4;
/// The limit for all documents together, which ends an endless include.
const MAX_PARTS: usize = 100;

/// The documents of user-data.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// In their order, without empty documents.
    pub usable: Vec<UserData>,
    pub refused: Vec<UserDataError>,
}

/// Takes user-data apart: gzip and base64 are unpacked, MIME multipart and archives are split, and
/// any other text is one document.
pub fn parts(bytes: &[u8]) -> Parts {
    let mut parts = Parts::default();
    parts.take(bytes, None, 0);
    parts
}

/// Like [`parts`], with the documents that `#include` names; `fetch` gets them.
pub fn parts_with_includes(
    bytes: &[u8],
    fetch: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
) -> Parts {
    let mut parts = parts(bytes);
    for _ in 0..MAX_DEPTH {
        if !parts.has_includes() {
            return parts;
        }
        parts = parts.with_included(fetch);
    }
    if parts.has_includes() {
        parts
            .usable
            .retain(|part| !matches!(part, UserData::Include(_)));
        let nested = UserDataError::Unsupported("`#include` that is nested deeply");
        parts.refused.push(nested);
    }
    parts
}

impl Parts {
    /// Whether a document must still be fetched.
    pub fn has_includes(&self) -> bool {
        let mut parts = self.usable.iter();
        parts.any(|part| matches!(part, UserData::Include(_)))
    }

    fn with_included(self, fetch: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>) -> Self {
        let mut all = Self {
            usable: Vec::new(),
            refused: self.refused,
        };
        for part in self.usable {
            let UserData::Include(urls) = part else {
                all.usable.push(part);
                continue;
            };
            for url in urls {
                match fetch(&url) {
                    Ok(bytes) => all.take(&bytes, None, 0),
                    Err(reason) => all.refused.push(UserDataError::Include { url, reason }),
                }
            }
        }
        all
    }

    fn take(&mut self, bytes: &[u8], kind: Option<&str>, depth: usize) {
        if let Err(error) = self.try_take(bytes, kind, depth) {
            self.refused.push(error);
        }
    }

    fn try_take(
        &mut self,
        bytes: &[u8],
        kind: Option<&str>,
        depth: usize,
    ) -> Result<(), UserDataError> {
        if depth > MAX_DEPTH {
            return Err(UserDataError::Unsupported(
                "MIME or gzip that is nested deeply",
            ));
        }
        if self.usable.len() + self.refused.len() >= MAX_PARTS {
            return Ok(());
        }
        let size: u64 = self.usable.iter().map(UserData::size).sum();
        if size + bytes.len() as u64 > SIZE_LIMIT {
            return Err(UserDataError::TooLarge);
        }
        if bytes.starts_with(&[0x1F, 0x8B]) {
            self.take(&gunzip(bytes)?, kind, depth + 1);
        } else if mime::is_mime(bytes) {
            for part in mime::split(bytes)? {
                self.take(&part.content, Some(&part.kind), depth + 1);
            }
        } else if archive::is_archive(bytes, kind) {
            for (kind, content) in archive::split(bytes)? {
                self.take(content.as_bytes(), kind.as_deref(), depth + 1);
            }
        } else if let Some(unpacked) = unpack_base64(bytes) {
            self.take(&unpacked, kind, depth + 1);
        } else {
            let document = document::parse(bytes, kind)?;
            self.usable
                .extend((document != UserData::Empty).then_some(document));
        }
        Ok(())
    }
}

/// Consoles of providers pass pasted base64 on. A plain word can be valid base64 by chance, so the result
/// must look like user-data.
fn unpack_base64(bytes: &[u8]) -> Option<Vec<u8>> {
    const MIN_LENGTH: usize = 16;
    let length = bytes
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .count();
    if length < MIN_LENGTH {
        return None;
    }
    let unpacked = decode_base64(bytes)?;
    let looks_right = unpacked.starts_with(b"#")
        || unpacked.starts_with(&[0x1F, 0x8B])
        || mime::is_mime(&unpacked);
    looks_right.then_some(unpacked)
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, UserDataError> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .take(SIZE_LIMIT + 1)
        .read_to_end(&mut out)
        .map_err(|_| UserDataError::Gzip)?;
    if out.len() as u64 > SIZE_LIMIT {
        Err(UserDataError::Gzip)
    } else {
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
