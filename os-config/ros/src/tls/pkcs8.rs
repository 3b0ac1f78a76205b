//! Private keys in the form that every program reads now (PKCS #8, RFC 5208).
//!
//! Written with rcgen's encoder of ASN.1: the crates `pkcs1` and `pkcs8` would bring a second encoder.

use anyhow::{Context, Result};
use yasna::models::ObjectIdentifier;

/// `rsaEncryption` (RFC 8017), an algorithm without parameters.
const RSA_ENCRYPTION: [u64; 7] = [1, 2, 840, 113549, 1, 1, 1];

/// A private key as PKCS #8. RancherOS kept the key of its authority in the older form for RSA only (PKCS #1), which
/// PKCS #8 holds as its octets.
pub(super) fn as_pkcs8(key: &str) -> Result<String> {
    const OLD: &str = "RSA PRIVATE KEY";
    const VERSION: u8 = 0;
    if !key.contains(OLD) {
        return Ok(key.to_owned());
    }
    let old = pem::parse(key).context("reading the authority's key")?;
    let whole = yasna::construct_der(|key| {
        key.write_sequence(|key| {
            key.next().write_u8(VERSION);
            key.next().write_sequence(|algorithm| {
                let rsa = ObjectIdentifier::from_slice(&RSA_ENCRYPTION);
                algorithm.next().write_oid(&rsa);
                algorithm.next().write_null();
            });
            key.next().write_bytes(old.contents());
        });
    });
    Ok(pem::encode(&pem::Pem::new("PRIVATE KEY", whole)))
}

#[cfg(test)]
mod tests {
    use super::as_pkcs8;

    #[test]
    fn an_old_key_is_wrapped() {
        let old = include_str!("../../tests/rancheros-authority/ca-key.pem");
        let new = pem::parse(as_pkcs8(old).unwrap()).unwrap();
        assert_eq!(new.tag(), "PRIVATE KEY");
        let old = pem::parse(old).unwrap();
        // The sequence and its length, version 0, rsaEncryption without parameters, the octets and their length.
        let length = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
        let head =
            b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x04\x82";
        let octets = [&length(old.contents().len())[..], old.contents()].concat();
        let content = [&head[..], &octets].concat();
        let whole = [b"\x30\x82", &length(content.len())[..], &content].concat();
        assert_eq!(new.contents(), whole);
        assert_eq!(as_pkcs8("another key").unwrap(), "another key");
    }
}
