//! A document of user-data, whose first line gives its kind.

use serde_yaml::{Mapping, Value};

use super::error::UserDataError;

/// User-data that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserData {
    Empty,
    /// The unchanged text of a cloud-config.
    CloudConfig(Vec<u8>),
    /// A compose file, rewritten as a cloud-config with `rancher.services`.
    Compose(String),
    /// A program with `#!` in its first line.
    Script(Vec<u8>),
    /// Addresses of further user-data.
    Include(Vec<String>),
}

impl UserData {
    /// The bytes that the document keeps in memory.
    pub(super) fn size(&self) -> u64 {
        let bytes = match self {
            Self::Empty => 0,
            Self::CloudConfig(bytes) | Self::Script(bytes) => bytes.len(),
            Self::Compose(text) => text.len(),
            Self::Include(urls) => urls.iter().map(String::len).sum(),
        };
        bytes as u64
    }
}

/// Parses a document by its first line, or by its MIME type if the first line is unknown.
pub(super) fn parse(bytes: &[u8], kind: Option<&str>) -> Result<UserData, UserDataError> {
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
        // An invalid document is kept: the loader of the configuration reports the place of the error.
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

/// Parses a list of addresses, one in each line.
fn include(bytes: &[u8]) -> Result<UserData, UserDataError> {
    let text = std::str::from_utf8(bytes).map_err(|_| UserDataError::Binary)?;
    let urls = text
        .lines()
        .map(|line| {
            // An address may follow `#include` in the same line.
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

pub(super) fn without_empty_lines(bytes: &[u8]) -> &[u8] {
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
