//! What kind of document user-data is, by its first line.

use std::io::Read;

use serde_yaml::{Mapping, Value};
use thiserror::Error;

use crate::mime;

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
}

/// Why user-data cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UserDataError {
    #[error("expected a first line `#cloud-config`, `#compose` or `#!…`, found {0:?}")]
    Unknown(String),
    #[error("expected a text or gzip, found other data (not UTF-8)")]
    Binary,
    #[error("it is {0}, which is not understood yet; give a plain `#cloud-config`")]
    Unsupported(&'static str),
    #[error("it is MIME that cannot be taken apart: {0}")]
    Mime(&'static str),
    #[error("it is gzip that cannot be unpacked, or unpacks to more than 16 MB")]
    Gzip,
    #[error("expected compose services after `#compose`")]
    Compose,
}

const LARGEST: u64 = 16 << 20;

/// Recognises user-data. gzip is unpacked first. MIME multipart must have one part that counts; for more
/// there is [`parts`].
pub fn parse(bytes: &[u8]) -> Result<UserData, UserDataError> {
    let mut found: Vec<UserData> = parts(bytes)?
        .into_iter()
        .filter(|part| *part != UserData::Empty)
        .collect();
    match found.len() {
        0 | 1 => Ok(found.pop().unwrap_or(UserData::Empty)),
        _ => Err(UserDataError::Unsupported(
            "MIME multipart with several parts",
        )),
    }
}

/// Everything that user-data consists of: one document, or the parts of MIME multipart in their order.
pub fn parts(bytes: &[u8]) -> Result<Vec<UserData>, UserDataError> {
    parts_within(bytes, 0)
}

/// gzip may hold MIME, which may hold gzip; nobody nests it deeper.
const DEEPEST: usize = 3;

fn parts_within(bytes: &[u8], depth: usize) -> Result<Vec<UserData>, UserDataError> {
    if depth > DEEPEST {
        return Err(UserDataError::Unsupported(
            "MIME or gzip that is nested deeply",
        ));
    }
    if bytes.starts_with(&[0x1F, 0x8B]) {
        return parts_within(&gunzip(bytes)?, depth + 1);
    }
    if mime::is_mime(bytes) {
        let mut found = Vec::new();
        for part in mime::split(bytes)? {
            found.extend(parts_within(&part, depth + 1)?);
        }
        return Ok(found);
    }
    parse_text(bytes).map(|one| vec![one])
}

fn parse_text(bytes: &[u8]) -> Result<UserData, UserDataError> {
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
        "#include" | "#include-once" => {
            Err(UserDataError::Unsupported("a list of URLs (#include)"))
        }
        "#cloud-config-archive" => Err(UserDataError::Unsupported(
            "an archive (#cloud-config-archive)",
        )),
        "##" if first.starts_with("## template:") => Err(UserDataError::Unsupported("a template")),
        _ if first.starts_with('{') && bytes.windows(10).any(|piece| piece == b"\"ignition\"") => {
            Err(UserDataError::Unsupported("an Ignition configuration"))
        }
        _ if first.contains('\0') => Err(UserDataError::Binary),
        _ => Err(UserDataError::Unknown(first.chars().take(40).collect())),
    }
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
        .take(LARGEST + 1)
        .read_to_end(&mut out)
        .map_err(|_| UserDataError::Gzip)?;
    if out.len() as u64 > LARGEST {
        Err(UserDataError::Gzip)
    } else {
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::{UserData, UserDataError, parse};

    #[test]
    fn kinds() {
        for (bytes, expected) in [
            (
                &b"#cloud-config\nhostname: a\n"[..],
                Ok(UserData::CloudConfig(
                    b"#cloud-config\nhostname: a\n".to_vec(),
                )),
            ),
            (
                b"#cloud-config\r\na: b",
                Ok(UserData::CloudConfig(b"#cloud-config\r\na: b".to_vec())),
            ),
            (
                b"#!/bin/sh\n",
                Ok(UserData::Script(b"#!/bin/sh\n".to_vec())),
            ),
            (
                b"#compose\nweb: {image: x}\n",
                Ok(UserData::Compose(
                    "rancher:\n  services:\n    web:\n      image: x\n".into(),
                )),
            ),
            (
                b"#compose\nservices: {web: {image: x}}\n",
                Ok(UserData::Compose(
                    "rancher:\n  services:\n    web:\n      image: x\n".into(),
                )),
            ),
            (b"", Ok(UserData::Empty)),
            (b" \n\t", Ok(UserData::Empty)),
            (b"hello", Err(UserDataError::Unknown("hello".into()))),
            (b"\xff\xfe\x00", Err(UserDataError::Binary)),
            (b"\x1f\x8bxx", Err(UserDataError::Gzip)),
            (b"#compose\n- a", Err(UserDataError::Compose)),
            (
                b"#include\nhttp://x",
                Err(UserDataError::Unsupported("a list of URLs (#include)")),
            ),
        ] {
            assert_eq!(
                parse(bytes),
                expected,
                "{:?}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn the_reference_by_its_ids() {
        let config = |text: &str| Ok(UserData::CloudConfig(text.as_bytes().to_vec()));
        let script = |text: &str| Ok(UserData::Script(text.as_bytes().to_vec()));
        for (id, text, expected) in [
            (
                "UD-01",
                "#cloud-config\nhostname: a",
                config("#cloud-config\nhostname: a"),
            ),
            (
                "UD-02",
                "#cloud-config\r\nhostname: a\r\n",
                config("#cloud-config\r\nhostname: a\r\n"),
            ),
            (
                "UD-02",
                "#cloud-config \r\na: b",
                config("#cloud-config \r\na: b"),
            ),
            (
                "UD-03",
                "#!bin/bash\necho foo",
                script("#!bin/bash\necho foo"),
            ),
            ("UD-04", "#!/bin/sh\r\n", script("#!/bin/sh\r\n")),
            ("UD-05", "", Ok(UserData::Empty)),
            (
                "UD-07",
                "#compose\r\nn: {image: x}\r\n",
                Ok(UserData::Compose(
                    "rancher:\n  services:\n    n:\n      image: x\n".into(),
                )),
            ),
            ("UD-08", "#compose\na: [", Err(UserDataError::Compose)),
            (
                "UD-12",
                "\u{feff}#cloud-config\n",
                config("#cloud-config\n"),
            ),
            ("UD-12", "\n\n#cloud-config\n", config("#cloud-config\n")),
            (
                "UD-12",
                "#Cloud-Config\n",
                Err(UserDataError::Unknown("#Cloud-Config".into())),
            ),
            ("UD-12", "# !\n", Err(UserDataError::Unknown("# !".into()))),
            (
                "UD-12",
                "#include\nhttp://x",
                Err(UserDataError::Unsupported("a list of URLs (#include)")),
            ),
            (
                "UD-12",
                "#cloud-config-archive\n- a",
                Err(UserDataError::Unsupported(
                    "an archive (#cloud-config-archive)",
                )),
            ),
            (
                "UD-13",
                "{\"ignition\":{}}",
                Err(UserDataError::Unsupported("an Ignition configuration")),
            ),
            (
                "UD-15",
                "#cloud-config\nunknown: 1",
                config("#cloud-config\nunknown: 1"),
            ),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{id}: {text:?}");
        }
    }

    #[test]
    fn gzip_is_unpacked() {
        use std::io::Write;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(b"#!/bin/sh\n").unwrap();
        assert_eq!(
            parse(&packer.finish().unwrap()),
            Ok(UserData::Script(b"#!/bin/sh\n".to_vec()))
        );
    }
}
