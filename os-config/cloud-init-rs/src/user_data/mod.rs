//! What kind of document user-data is, by its first line.

use std::io::Read;

use base64::Engine as _;
use serde_yaml::{Mapping, Value};
use thiserror::Error;

mod archive;
mod mime;

/// User-data that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserData {
    Empty,
    /// A cloud-config, as it was written.
    CloudConfig(Vec<u8>),
    /// A compose file, as a cloud-config with `rancher.services`.
    Compose(String),
    /// A program, by its `#!`.
    Script(Vec<u8>),
    /// Addresses of further user-data.
    Include(Vec<String>),
}

/// Why user-data, or a part of it, cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UserDataError {
    #[error("expected a first line `#cloud-config`, `#compose`, `#include` or `#!…`, found {0:?}")]
    Unknown(String),
    #[error("expected a text or gzip, found other data (not UTF-8)")]
    Binary,
    #[error("it is {0}, which is not understood; give a plain `#cloud-config`")]
    Unsupported(&'static str),
    #[error("it is MIME that cannot be taken apart: {0}")]
    Mime(&'static str),
    #[error("it is gzip that cannot be unpacked, or unpacks to more than 16 MB")]
    Gzip,
    #[error("expected compose services after `#compose`")]
    Compose,
    #[error("expected a list of documents after `#cloud-config-archive`")]
    Archive,
    #[error("{url:?}, which it includes: {reason}")]
    Include { url: String, reason: String },
}

const SIZE_LIMIT: u64 = 16 << 20;
/// gzip may hold MIME, which may hold gzip; nobody nests it deeper.
const MAX_DEPTH: usize = 4;
/// Documents altogether; who needs more has written a loop.
const MAX_PARTS: usize = 100;

/// What user-data consists of.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// In their order, without empty ones.
    pub usable: Vec<UserData>,
    pub refused: Vec<UserDataError>,
}

/// Takes user-data apart: gzip and base64 are unpacked, MIME multipart and archives are their parts, and
/// everything else is one document by its first line.
pub fn parts(bytes: &[u8]) -> Parts {
    let mut parts = Parts::default();
    parts.take(bytes, None, 0);
    parts
}

/// The same with the documents that `#include` names, fetched by `fetch`.
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
    /// Whether something of it must be fetched.
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
        if bytes.starts_with(&[0x1F, 0x8B]) {
            self.take(&gunzip(bytes)?, kind, depth + 1);
        } else if mime::is_mime(bytes) {
            for part in mime::split(bytes)? {
                self.take(&part.content, Some(&part.kind), depth + 1);
            }
        } else if is_archive(bytes, kind) {
            for (kind, content) in archive::split(bytes)? {
                self.take(content.as_bytes(), kind.as_deref(), depth + 1);
            }
        } else if let Some(unpacked) = unpack_base64(bytes) {
            self.take(&unpacked, kind, depth + 1);
        } else {
            let document = parse_document(bytes, kind)?;
            self.usable
                .extend((document != UserData::Empty).then_some(document));
        }
        Ok(())
    }
}

fn is_archive(bytes: &[u8], kind: Option<&str>) -> bool {
    kind == Some("text/cloud-config-archive")
        || without_empty_lines(bytes).starts_with(b"#cloud-config-archive")
}

/// Providers' consoles hand on what was pasted there as base64. Plain words are base64 by chance; what
/// comes out must look like user-data.
fn unpack_base64(bytes: &[u8]) -> Option<Vec<u8>> {
    const MIN_LENGTH: usize = 16;
    let packed: Vec<u8> = bytes
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if packed.len() < MIN_LENGTH {
        return None;
    }
    let engine = base64::engine::general_purpose::STANDARD;
    let unpacked = engine.decode(packed).ok()?;
    let looks_right = unpacked.starts_with(b"#")
        || unpacked.starts_with(&[0x1F, 0x8B])
        || mime::is_mime(&unpacked);
    looks_right.then_some(unpacked)
}

/// One document by its first line, or by the type that MIME gives it where the line says nothing.
fn parse_document(bytes: &[u8], kind: Option<&str>) -> Result<UserData, UserDataError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(UserData::Empty);
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // Editors and templates leave empty lines at the top.
    let bytes = without_empty_lines(bytes);
    let first = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let first = std::str::from_utf8(first)
        .map_err(|_| UserDataError::Binary)?
        .trim_end();
    if first.starts_with("#!") {
        return Ok(UserData::Script(bytes.to_vec()));
    }
    match first.split_whitespace().next().unwrap_or_default() {
        // A document that turns out to be wrong is kept: only so can it be said where it is wrong.
        "#cloud-config" => Ok(UserData::CloudConfig(bytes.to_vec())),
        "#compose" => compose(bytes),
        "#include" | "#include-once" => include(bytes),
        "#cloud-boothook" => Err(UserDataError::Unsupported(
            "a script of cloud-init's for early boot (#cloud-boothook)",
        )),
        "#part-handler" => Err(UserDataError::Unsupported(
            "a program for cloud-init itself (#part-handler)",
        )),
        "##" if first.starts_with("## template:") => Err(UserDataError::Unsupported(
            "a template (## template: jinja)",
        )),
        _ if first.starts_with('{') && bytes.windows(10).any(|piece| piece == b"\"ignition\"") => {
            Err(UserDataError::Unsupported("an Ignition configuration"))
        }
        _ if first.contains('\0') => Err(UserDataError::Binary),
        _ => match kind {
            Some("text/cloud-config") => Ok(UserData::CloudConfig(bytes.to_vec())),
            Some("text/x-include-url" | "text/x-include-once-url") => include(bytes),
            _ => Err(UserDataError::Unknown(first.chars().take(40).collect())),
        },
    }
}

/// Addresses, a line each.
fn include(bytes: &[u8]) -> Result<UserData, UserDataError> {
    let text = std::str::from_utf8(bytes).map_err(|_| UserDataError::Binary)?;
    let urls = text
        .lines()
        .map(|line| {
            // `#include http://…` in one line is taken too.
            let line = line.trim();
            let rest = line
                .strip_prefix("#include-once")
                .or_else(|| line.strip_prefix("#include"));
            rest.unwrap_or(line).trim()
        })
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned);
    Ok(UserData::Include(urls.collect()))
}

fn without_empty_lines(bytes: &[u8]) -> &[u8] {
    let start = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\n' | b'\r'))
        .unwrap_or(bytes.len());
    bytes.get(start..).unwrap_or_default()
}

fn compose(bytes: &[u8]) -> Result<UserData, UserDataError> {
    let value: Value = serde_yaml::from_slice(bytes).map_err(|_| UserDataError::Compose)?;
    let services = value.get("services").cloned().unwrap_or(value);
    if !services.is_mapping() {
        return Err(UserDataError::Compose);
    }
    let below = |key: &str, value| Value::Mapping(Mapping::from_iter([(Value::from(key), value)]));
    let text = serde_yaml::to_string(&below("rancher", below("services", services)))
        .map_err(|_| UserDataError::Compose)?;
    Ok(UserData::Compose(text))
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
