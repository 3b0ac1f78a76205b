//! Detached OpenPGP signatures (RFC 4880, version 4) that GRUB's `verify_detached` takes: with them GRUB sees rot in the
//! files of a slot before it runs them.
//!
//! The signatures protect against rot and against no person: the private key lies in the repository on purpose, see
//! `iso/keys/README.md`. Written by hand: GRUB needs three kinds of packets, and two builds must give the same bytes.

use std::iter;

use anyhow::{Context, Result, anyhow};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

const PRIVATE_KEY: &[u8] = include_bytes!("../../keys/rot.pk8");

/// The date of the key and of every signature, in seconds since 1970: it never changes, so neither do the bytes.
const CREATED: u32 = 1_700_000_000;
const USER_ID: &[u8] = b"PaddockOS rot check (the private key is public)";

/// Tags of packets.
const SIGNATURE: u8 = 2;
const PUBLIC_KEY: u8 = 6;
const USER: u8 = 13;

/// What a signature is about.
const OF_FILE: u8 = 0x00;
const OF_USER_ID: u8 = 0x13;

/// Kinds of subpackets.
const CREATION_TIME: u8 = 2;
const ISSUER: u8 = 16;
const KEY_FLAGS: u8 = 27;

/// The key may certify and sign.
const CERTIFIES_AND_SIGNS: u8 = 0x03;

const VERSION: u8 = 4;
const RSA: u8 = 1;
const SHA_256: u8 = 8;

/// The key that signs the files of a slot.
#[derive(Debug)]
pub(crate) struct RotKey {
    pair: RsaKeyPair,
    /// The body of the public key's packet.
    body: Vec<u8>,
}

impl RotKey {
    /// Fails if the key of the repository is no RSA key in PKCS#8.
    pub(crate) fn load() -> Result<Self> {
        let pair = RsaKeyPair::from_pkcs8(PRIVATE_KEY)
            .map_err(|cause| anyhow!("reading iso/keys/rot.pk8: {cause}"))?;
        let public: PublicKeyComponents<Vec<u8>> = pair.public().into();
        let mut body = vec![VERSION];
        body.extend(CREATED.to_be_bytes());
        body.push(RSA);
        body.extend(number(&public.n));
        body.extend(number(&public.e));
        Ok(Self { pair, body })
    }

    /// The file of the public key, as `gpg --export` writes it.
    ///
    /// GRUB reads the key's packet alone; gpg asks for a user id that the key has signed.
    pub(crate) fn public_file(&self) -> Result<Vec<u8>> {
        let mut certified = self.hashed_body();
        certified.push(0xb4);
        certified.extend((USER_ID.len() as u32).to_be_bytes());
        certified.extend(USER_ID);
        let flags = subpacket(KEY_FLAGS, &[CERTIFIES_AND_SIGNS]);
        let mut file = packet(PUBLIC_KEY, &self.body);
        file.extend(packet(USER, USER_ID));
        file.extend(self.signature(OF_USER_ID, certified, &flags)?);
        Ok(file)
    }

    /// The detached signature of a file with this content.
    pub(crate) fn sign(&self, content: &[u8]) -> Result<Vec<u8>> {
        self.signature(OF_FILE, content.to_owned(), &[])
    }

    /// Signs `message`; `more` are subpackets for the signed part of the signature.
    fn signature(&self, kind: u8, mut message: Vec<u8>, more: &[u8]) -> Result<Vec<u8>> {
        let mut hashed = subpacket(CREATION_TIME, &CREATED.to_be_bytes());
        hashed.extend(more);
        let mut body = vec![VERSION, kind, RSA, SHA_256];
        body.extend((hashed.len() as u16).to_be_bytes());
        body.extend(hashed);
        message.extend(&body);
        message.extend([VERSION, 0xff]);
        message.extend((body.len() as u32).to_be_bytes());
        // GRUB looks for the issuer among the subpackets without a signature alone.
        let issuer = subpacket(ISSUER, &self.key_id());
        body.extend((issuer.len() as u16).to_be_bytes());
        body.extend(issuer);
        body.extend(digest(&SHA256, &message).as_ref().iter().take(2));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        // The random numbers hide the time of the computation; this kind of signature contains none.
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                &message,
                &mut signature,
            )
            .ok()
            .context("signing with iso/keys/rot.pk8")?;
        body.extend(number(&signature));
        Ok(packet(SIGNATURE, &body))
    }

    /// The end of the key's fingerprint.
    fn key_id(&self) -> [u8; 8] {
        let fingerprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.hashed_body());
        let mut id = [0; 8];
        id.copy_from_slice(&fingerprint.as_ref()[12..]);
        id
    }

    /// The key as fingerprints and certifications hash it.
    fn hashed_body(&self) -> Vec<u8> {
        let mut hashed = vec![0x99];
        hashed.extend((self.body.len() as u16).to_be_bytes());
        hashed.extend(&self.body);
        hashed
    }
}

/// A packet with a header of the old form, which GRUB reads best, and a length of two bytes.
fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x81 | (tag << 2)];
    packet.extend((body.len() as u16).to_be_bytes());
    packet.extend(body);
    packet
}

fn subpacket(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len() as u8 + 1;
    [length, kind].iter().chain(content).copied().collect()
}

/// A number of any length: its bits are counted from the highest that is set.
fn number(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros..];
    let unused = digits.first().map_or(0, |first| first.leading_zeros());
    let bits = digits.len() as u32 * 8 - unused;
    iter::chain((bits as u16).to_be_bytes(), digits.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

    use super::{RotKey, number};
    use crate::build::command::{Log, argv};
    use crate::build::files::write;

    #[test]
    fn gpg_takes_the_signature_of_a_file_and_refuses_a_rotten_one() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let log = Log::create(folder.join("log")).unwrap();
        let rot = RotKey::load().unwrap();
        let mut content = vec![7; 100_000];
        let (key, file) = (folder.join("rot.pub"), folder.join("vmlinuz"));
        let signature = folder.join("vmlinuz.sig");
        write(&key, rot.public_file().unwrap()).unwrap();
        write(&signature, rot.sign(&content).unwrap()).unwrap();
        let gpgv = argv![
            "gpgv",
            "--homedir",
            folder,
            "--keyring",
            key,
            signature,
            &file
        ];
        write(&file, &content).unwrap();
        log.run(&gpgv).unwrap();
        content[50_000] ^= 1;
        write(&file, content).unwrap();
        assert!(log.run(&gpgv).is_err());
    }

    #[test]
    fn two_signatures_of_a_file_have_the_same_bytes() {
        let (first, second) = (RotKey::load().unwrap(), RotKey::load().unwrap());
        assert_eq!(first.sign(b"file").unwrap(), second.sign(b"file").unwrap());
        assert_eq!(first.public_file().unwrap(), second.public_file().unwrap());
    }

    /// GRUB takes the key's id from the second list of subpackets and compares it with the end of the fingerprint.
    #[test]
    fn the_issuer_is_where_grub_looks_for_it() {
        let rot = RotKey::load().unwrap();
        let file = rot.public_file().unwrap();
        assert_eq!(file[0], 0x99, "a public key, its length in two bytes");
        let length = u16::from_be_bytes([file[1], file[2]]) as usize;
        // The packet's header is also what the fingerprint begins with.
        let fingerprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, &file[..3 + length]);
        let signature = rot.sign(b"").unwrap();
        assert_eq!((signature[0], &signature[3..5]), (0x89, &[4, 0][..]));
        let hashed = u16::from_be_bytes([signature[7], signature[8]]) as usize;
        let unhashed = &signature[9 + hashed..];
        assert_eq!(unhashed[..4], [0, 10, 9, 16]);
        assert_eq!(unhashed[4..12], fingerprint.as_ref()[12..]);
    }

    #[test]
    fn numbers_are_counted_in_bits() {
        for (bytes, expected) in [
            (&[1, 0, 1][..], &[0, 17, 1, 0, 1][..]),
            (&[0, 0, 0xff], &[0, 8, 0xff]),
            (&[], &[0, 0]),
        ] {
            assert_eq!(number(bytes), expected);
        }
    }
}
