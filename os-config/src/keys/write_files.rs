//! `write_files`: files with their content, its encoding and their permissions.

use std::io::Read;

use base64::Engine as _;
use serde_yaml::Value;
use thiserror::Error;

use crate::reader::Reader;
use crate::reader::findings::Findings;

/// A file that the machine writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteFile {
    pub path: String,
    pub content: String,
    /// User and group as in chown(1).
    pub owner: Option<String>,
    /// Octal, as a text.
    pub permissions: Option<String>,
    pub encoding: Option<String>,
    /// The system container that writes it; `None` means the console.
    pub container: Option<String>,
    pub append: bool,
}

/// A wrong key of an entry.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WriteFileError {
    #[error("encoding: expected b64, gzip or gz+b64, found \"{0}\"")]
    Encoding(String),
    #[error("content: it is not {0}")]
    Content(&'static str),
    #[error("permissions: expected an octal mode such as 0644, found \"{0}\"")]
    Permissions(String),
}

/// Bytes of the largest unpacked content: 1 MB of gzip can hold a gigabyte.
const LARGEST: u64 = 64 << 20;

impl WriteFile {
    fn read(reader: &mut Reader<'_>, findings: &mut Findings) -> Self {
        Self {
            path: reader.text("path", findings).unwrap_or_default(),
            content: reader.text("content", findings).unwrap_or_default(),
            owner: reader.text("owner", findings),
            permissions: reader.text("permissions", findings),
            encoding: reader.text("encoding", findings),
            container: reader.text("container", findings),
            append: reader.boolean("append", findings).unwrap_or(false),
        }
    }

    /// Checks encoding, base64 and permissions; does not unpack gzip.
    fn check(&self) -> Result<(), WriteFileError> {
        self.mode()?;
        match self.encoding.as_deref().unwrap_or_default() {
            "" | "text/plain" => Ok(()),
            "b64" | "base64" | "gz" | "gzip" | "gz+base64" | "gzip+base64" | "gz+b64"
            | "gzip+b64" => self.base64().map(drop),
            other => Err(WriteFileError::Encoding(other.to_owned())),
        }
    }

    /// The bytes of the file.
    pub fn decode(&self) -> Result<Vec<u8>, WriteFileError> {
        let name = self.encoding.as_deref().unwrap_or_default();
        match name {
            "" | "text/plain" => Ok(self.content.clone().into_bytes()),
            "b64" | "base64" => self.base64(),
            // YAML cannot hold bytes: the content is `!!binary`, which is base64.
            "gz" | "gzip" => gunzip(&self.base64()?),
            "gz+base64" | "gzip+base64" | "gz+b64" | "gzip+b64" => gunzip(&self.base64()?),
            other => Err(WriteFileError::Encoding(other.to_owned())),
        }
    }

    /// The mode; 0644 by default.
    pub fn mode(&self) -> Result<u32, WriteFileError> {
        let Some(text) = self.permissions.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(0o644);
        };
        let digits = text.strip_prefix("0o").unwrap_or(text);
        u32::from_str_radix(digits, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777)
            .ok_or_else(|| WriteFileError::Permissions(text.to_owned()))
    }

    fn base64(&self) -> Result<Vec<u8>, WriteFileError> {
        let packed: String = self.content.split_ascii_whitespace().collect();
        base64::engine::general_purpose::STANDARD
            .decode(packed)
            .map_err(|_| WriteFileError::Content("base64"))
    }
}

/// The entries without an error.
pub(crate) fn write_files(reader: &mut Reader<'_>, findings: &mut Findings) -> Vec<WriteFile> {
    let base = reader.path_of("write_files");
    reader
        .items("write_files", findings)
        .into_iter()
        .enumerate()
        .filter_map(|(i, item)| {
            let path = format!("{base}[{i}]");
            let mut section = Reader::new(item, &path, findings);
            let file = WriteFile::read(&mut section, findings);
            // Files are written when users are there, as with cloud-init's `defer`.
            section.met("defer");
            if section.ignored("source").is_some() {
                findings.not_done(section.path_of("source"), "`content` has the content");
            }
            section.finish(findings);
            if !file.path.starts_with('/') {
                return findings.mismatch(
                    &format!("{path}.path"),
                    "an absolute path",
                    &Value::String(file.path),
                );
            }
            // An entry without its wrong key would be another file, so the whole entry is left out.
            if let Err(error) = file.check() {
                findings.error(path, error.to_string());
                return None;
            }
            Some(file)
        })
        .collect()
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, WriteFileError> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .take(LARGEST)
        .read_to_end(&mut out)
        .map_err(|_| WriteFileError::Content("gzip"))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{WriteFile, WriteFileError};

    #[test]
    fn encodings() {
        let file = |content: &str, encoding: &str| WriteFile {
            content: content.into(),
            encoding: Some(encoding.into()),
            ..WriteFile::default()
        };
        assert_eq!(file("plain", "").decode().unwrap(), b"plain");
        assert_eq!(file("aGVs\n bG8=", "b64").decode().unwrap(), b"hello");
        assert_eq!(
            file("H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==", "gz+b64")
                .decode()
                .unwrap(),
            b"hello"
        );
        assert_eq!(
            file("H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==", "gzip")
                .decode()
                .unwrap(),
            b"hello"
        );
        assert_eq!(
            file("%%", "base64").decode(),
            Err(WriteFileError::Content("base64"))
        );
        assert_eq!(
            file("x", "rot13").decode(),
            Err(WriteFileError::Encoding("rot13".into()))
        );
    }

    #[test]
    fn modes() {
        let mode = |text: &str| {
            WriteFile {
                permissions: Some(text.into()),
                ..WriteFile::default()
            }
            .mode()
        };
        assert_eq!(mode(""), Ok(0o644));
        assert_eq!(mode("0600"), Ok(0o600));
        assert_eq!(mode("755"), Ok(0o755));
        assert!(mode("0888").is_err() && mode("rw-r--r--").is_err() && mode("77777").is_err());
    }
}
