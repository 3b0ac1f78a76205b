//! Private keys in the form that every program reads now (PKCS #8, RFC 5208).

use anyhow::{Context, Result};

/// A private key as PKCS #8. RancherOS kept the key of its authority in the older form for RSA only (PKCS #1), which
/// PKCS #8 holds as its octets.
pub(super) fn as_pkcs8(key: &str) -> Result<String> {
    const OLD: &str = "RSA PRIVATE KEY";
    /// Version 0, then the algorithm: rsaEncryption without parameters (RFC 8017).
    const HEAD: [u8; 18] = [
        0x02, 0x01, 0x00, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
        0x01, 0x05, 0x00,
    ];
    if !key.contains(OLD) {
        return Ok(key.to_owned());
    }
    let old = pem::parse(key).context("reading the authority's key")?;
    let octets = der(0x04, old.contents());
    let whole = der(0x30, &[&HEAD, octets.as_slice()].concat());
    Ok(pem::encode(&pem::Pem::new("PRIVATE KEY", whole)))
}

/// A value in DER: its tag, its length and its content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let first = length.iter().position(|byte| *byte != 0);
    let length = length
        .get(first.unwrap_or(length.len() - 1)..)
        .unwrap_or_default();
    let mut out = vec![tag];
    if content.len() >= 0x80 {
        out.push(0x80 | length.len() as u8);
    }
    out.extend(length);
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::der;

    #[test]
    fn lengths() {
        for (length, expected) in [
            (0, vec![4, 0]),
            (0x7f, vec![4, 0x7f]),
            (0x80, vec![4, 0x81, 0x80]),
            (0x1234, vec![4, 0x82, 0x12, 0x34]),
        ] {
            let found = der(4, &vec![0; length]);
            assert_eq!(found[..expected.len()], expected);
            assert_eq!(found.len(), expected.len() + length);
        }
    }
}
