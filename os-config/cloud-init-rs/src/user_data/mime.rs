//! The subset of MIME multipart in user-data: parts with a type and an encoding, on one level or two.
//!
//! Written by hand: `mailparse` takes a message without its end for a whole message, and half a cloud-config would be
//! used; its tables of character sets also make a program 300 KB larger. `mail-parser` needs a newer compiler.

use super::error::UserDataError;
use crate::encoding::decode_base64;

/// Real user-data has fewer parts.
const MAX_PARTS: usize = 100;

/// Whether a document begins with MIME headers.
pub(super) fn is_mime(bytes: &[u8]) -> bool {
    let (headers, _) = headers(bytes);
    let first = headers.first().map(|(name, _)| name.as_str());
    matches!(
        first,
        Some("content-type" | "mime-version" | "from" | "subject" | "number-attachments")
    ) && headers.iter().any(|(name, _)| name == "content-type")
}

/// A part with its type, in lower case and without parameters, and its decoded content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) kind: String,
    pub(super) content: Vec<u8>,
}

/// The parts of a message, of every type, in their order.
pub(super) fn split(bytes: &[u8]) -> Result<Vec<Part>, UserDataError> {
    let (headers, body) = headers(bytes);
    let kind = value(&headers, "content-type").unwrap_or("text/plain");
    if !kind.to_ascii_lowercase().starts_with("multipart/") {
        return Ok(vec![part(&headers, body)?]);
    }
    let boundary =
        parameter(kind, "boundary").ok_or(UserDataError::Mime("no boundary is given"))?;
    let mut found = Vec::new();
    for bytes in bodies(body, &boundary)? {
        if found.len() >= MAX_PARTS {
            return Err(UserDataError::Mime("it has too many parts"));
        }
        let (headers, content) = self::headers(bytes);
        let is_multipart = kind_of(&headers).starts_with("multipart/");
        // A nested multipart keeps its headers, so that the caller can split it in turn.
        found.push(if is_multipart {
            Part {
                kind: kind_of(&headers),
                content: bytes.to_vec(),
            }
        } else {
            part(&headers, content)?
        });
    }
    Ok(found)
}

fn part(headers: &Headers, content: &[u8]) -> Result<Part, UserDataError> {
    Ok(Part {
        kind: kind_of(headers),
        content: decode(headers, content)?,
    })
}

fn kind_of(headers: &Headers) -> String {
    let kind = value(headers, "content-type").unwrap_or("text/plain");
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

type Headers = Vec<(String, String)>;

/// The headers, with lower-case names and joined lines, and the body after the empty line.
fn headers(bytes: &[u8]) -> (Headers, &[u8]) {
    let mut found: Headers = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        let Ok(text) = std::str::from_utf8(line) else {
            break;
        };
        let text = text.trim_end();
        if text.is_empty() {
            return (found, after);
        }
        if text.starts_with([' ', '\t'])
            && let Some((_, value)) = found.last_mut()
        {
            value.push(' ');
            value.push_str(text.trim_start());
        } else if let Some((name, value)) = text.split_once(':')
            && !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            found.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        } else {
            break;
        }
        rest = after;
    }
    (found, rest)
}

fn value<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

/// A parameter of a header, with or without quotes.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|piece| {
        let (key, value) = piece.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (key.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then(|| value.to_owned())
    })
}

/// The bytes between the lines of the boundary.
fn bodies<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<&'a [u8]>, UserDataError> {
    let (open, close) = (format!("--{boundary}"), format!("--{boundary}--"));
    let mut found = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        let is_close = text == close.as_bytes();
        if is_close || text == open.as_bytes() {
            // The line break before a boundary belongs to the boundary.
            found.extend(
                start
                    .and_then(|start| body.get(start..at))
                    .map(without_last_break),
            );
            start = (!is_close).then_some(at + line.len());
            if is_close {
                return Ok(found);
            }
        }
        at += line.len();
    }
    Err(UserDataError::Mime("its end is missing"))
}

fn without_last_break(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

fn decode(headers: &Headers, content: &[u8]) -> Result<Vec<u8>, UserDataError> {
    match value(headers, "content-transfer-encoding")
        .unwrap_or("8bit")
        .to_ascii_lowercase()
        .as_str()
    {
        "7bit" | "8bit" | "binary" => Ok(content.to_vec()),
        "base64" => decode_base64(content).ok_or(UserDataError::Mime("a part is not base64")),
        "quoted-printable" => {
            unquote(content).ok_or(UserDataError::Mime("a part is not quoted-printable"))
        }
        _ => Err(UserDataError::Mime("a part has an unknown encoding")),
    }
}

fn unquote(content: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = content;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'=' {
            out.push(*byte);
        } else if let Some(after) = after
            .strip_prefix(b"\r\n")
            .or_else(|| after.strip_prefix(b"\n"))
        {
            rest = after;
        } else {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after.get(2..)?;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{is_mime, split};
    use crate::user_data::{UserData, UserDataError, parts};

    const MESSAGE: &str = "Content-Type: multipart/mixed;\n  boundary=\"===b\"\nMIME-Version: 1.0\n\npreamble\n--===b\n\
        Content-Type: text/cloud-config; charset=\"utf-8\"\n\n#cloud-config\nhostname: a\n\n--===b\r\n\
        Content-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\nIyEvYmlu\nL3NoCg==\n--===b\n\
        Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n#!/bin/a=3Db=\n\n--===b--\nepilogue";

    #[test]
    fn parts_are_decoded_in_order() {
        assert_eq!(
            parts(MESSAGE.as_bytes()).usable,
            [
                UserData::CloudConfig(b"#cloud-config\nhostname: a\n".to_vec()),
                UserData::Script(b"#!/bin/sh\n".to_vec()),
                UserData::Script(b"#!/bin/a=b".to_vec()),
            ]
        );
    }

    #[test]
    fn a_message_of_one_part() {
        let text = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/cloud-config\r\n\r\n#cloud-config\r\n--x--\r\n";
        assert_eq!(
            parts(text.as_bytes()).usable,
            [UserData::CloudConfig(b"#cloud-config".to_vec())]
        );
    }

    #[test]
    fn the_type_counts_where_the_first_line_says_nothing() {
        let text = "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/cloud-config\n\nhostname: a\n--x\n\
            Content-Type: text/x-include-url\n\nhttp://h/a\n# no\nhttp://h/b\n--x\nContent-Type: application/pdf\n\n%PDF\n--x--\n";
        let found = parts(text.as_bytes());
        assert_eq!(
            found.usable,
            [
                UserData::CloudConfig(b"hostname: a".to_vec()),
                UserData::Include(vec!["http://h/a".into(), "http://h/b".into()]),
            ]
        );
        assert_eq!(found.refused, [UserDataError::Unknown("%PDF".into())]);
    }

    #[test]
    fn other_texts_and_broken_mime() {
        for text in [
            "#cloud-config\ncontent-type: x\n",
            "hostname: x\n",
            "",
            "\u{0}",
            "content-type",
            "MIME-Version: 1.0\n\n",
        ] {
            assert!(!is_mime(text.as_bytes()), "{text}");
        }
        for text in [
            "Content-Type: multipart/mixed\n\nx",
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx",
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Transfer-Encoding: base64\n\n%%\n--a--\n",
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Transfer-Encoding: quoted-printable\n\n=é\n--a--\n",
        ] {
            assert!(split(text.as_bytes()).is_err(), "{text}");
        }
        // Deep nesting must end.
        let nested = "Content-Type: multipart/mixed; boundary=a\n\n--a\n".repeat(50)
            + &"\n--a--\n".repeat(50);
        let _ = parts(nested.as_bytes());
    }
}
