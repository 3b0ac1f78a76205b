//! The authorities that Secure Boot accepts, in a machine's copy of the firmware's variables. Their certificates come from
//! the signatures of the shim on the ISO: no package of the host has them all, and a shim that lacks a signature fails the
//! test.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;

use crate::harness::paths;
use crate::harness::spawn::{run_tool, run_tool_with_input};
use crate::harness::spec::Authority;

/// In a PE file (Microsoft's "PE Format"): the place of the PE header, and the entry of the signatures behind it.
const PE_HEADER: usize = 0x3C;
const SIGNATURES: usize = 24 + 112 + 4 * 8;
/// The header of a signature.
const SIGNATURE_HEADER: usize = 8;

/// In a firmware volume (UEFI PI, volume 3): the length of its header. The header of the variables follows.
const VOLUME_HEADER_LENGTH: usize = 0x30;
const STORE_HEADER: usize = 28;
/// A variable (edk2, `AUTHENTICATED_VARIABLE_HEADER`): its beginning, and the places in its header.
const VARIABLE_START: [u8; 2] = [0xAA, 0x55];
const STATE: usize = 2;
const NAME_LENGTH: usize = 36;
const DATA_LENGTH: usize = 40;
const VARIABLE_HEADER: usize = 60;
const VALID: u8 = 0x3F;
/// The bit that a deleted variable does not have.
const NOT_DELETED: u8 = 0x02;

/// The authorities that Secure Boot accepts.
const DATABASE: &str = "db";
/// The kind of a list of X.509 certificates (UEFI, `EFI_CERT_X509_GUID`).
const X509: [u8; 16] = [
    0xA1, 0x59, 0xC0, 0xA5, 0xE4, 0x94, 0xA7, 0x4A, 0x87, 0xB5, 0xAB, 0x15, 0x5C, 0x2B, 0xF0, 0x72,
];
/// The owner of an entry, which nothing looks at.
const OWNER: [u8; 16] = [0; 16];

/// Lets the firmware with these variables accept programs of `authorities` and no others. `dir` is for files on the way.
pub fn accept_only(authorities: &[Authority], variables: &Path, dir: &Path) -> Result<()> {
    let certificates = list_certificates(&read_shim(dir)?)?;
    let mut lists = Vec::new();
    for authority in authorities {
        let name = authority.common_name();
        let found = certificates.iter().find(|(known, _)| known == name);
        let (_, certificate) = found.with_context(|| format!("shim has no signature by {name}"))?;
        lists.extend(signature_list(certificate)?);
    }
    let mut store =
        fs::read(variables).with_context(|| format!("reading {}", variables.display()))?;
    replace_database(&mut store, &lists)?;
    fs::write(variables, store).with_context(|| format!("writing {}", variables.display()))
}

fn read_shim(dir: &Path) -> Result<Vec<u8>> {
    let iso = paths::dist().join("paddock.iso");
    let (image, shim) = (dir.join("efi.img"), dir.join("shim.efi"));
    let (iso, efi) = (iso.to_string_lossy(), image.to_string_lossy());
    run_tool(
        "xorriso",
        &[
            "-osirrox",
            "on",
            "-indev",
            &iso,
            "-extract",
            "/paddock/efi.img",
            &efi,
        ],
    )?;
    let to = shim.to_string_lossy();
    run_tool("mcopy", &["-n", "-i", &efi, "::EFI/BOOT/BOOTX64.EFI", &to])?;
    let bytes = fs::read(&shim).with_context(|| format!("reading {}", shim.display()))?;
    for file in [image, shim] {
        fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
    }
    Ok(bytes)
}

/// The common names and the certificates in all signatures of a PE file.
fn list_certificates(program: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let table = u32_at(program, PE_HEADER)? + SIGNATURES;
    let mut at = u32_at(program, table)?;
    let end = at + u32_at(program, table + 4)?;
    let mut certificates = Vec::new();
    while at < end {
        let length = u32_at(program, at)?;
        let signature = program
            .get(at + SIGNATURE_HEADER..at + length)
            .context("reading a signature of shim")?;
        let printed = run_tool_with_input(
            "openssl",
            &["pkcs7", "-inform", "DER", "-print_certs"],
            signature,
        )?;
        certificates.extend(parse_certificates(&String::from_utf8_lossy(&printed))?);
        at += length.next_multiple_of(8);
    }
    Ok(certificates)
}

/// Reads what `openssl pkcs7 -print_certs` prints: the subject of each certificate, and the certificate in base64.
fn parse_certificates(printed: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let (mut name, mut text) = (String::new(), String::new());
    let mut certificates = Vec::new();
    for line in printed.lines() {
        if let Some(subject) = line.strip_prefix("subject=") {
            let common_name = subject.rsplit_once("CN").map_or("", |(_, name)| name);
            name = common_name.trim_start_matches([' ', '=']).trim().to_owned();
        } else if line.starts_with("-----BEGIN") {
            text.clear();
        } else if line.starts_with("-----END") {
            let certificate = base64::engine::general_purpose::STANDARD
                .decode(&text)
                .with_context(|| format!("reading the certificate of {name}"))?;
            certificates.push((name.clone(), certificate));
        } else {
            text.push_str(line.trim());
        }
    }
    Ok(certificates)
}

/// An `EFI_SIGNATURE_LIST` with one certificate.
fn signature_list(certificate: &[u8]) -> Result<Vec<u8>> {
    let entry = u32::try_from(OWNER.len() + certificate.len())?;
    let header = u32::try_from(X509.len() + 3 * 4)?;
    let mut list = X509.to_vec();
    for number in [header + entry, 0, entry] {
        list.extend(number.to_le_bytes());
    }
    list.extend(OWNER);
    list.extend(certificate);
    Ok(list)
}

/// Deletes the variable with the accepted authorities, as firmware does, and adds one with this content behind the last.
fn replace_database(store: &mut [u8], content: &[u8]) -> Result<()> {
    let name: Vec<u8> = DATABASE
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect();
    let volume = store
        .get(VOLUME_HEADER_LENGTH..VOLUME_HEADER_LENGTH + 2)
        .context("reading the firmware's variables")?;
    let volume = usize::from(volume[0]) + (usize::from(volume[1]) << 8);
    let mut at = (volume + STORE_HEADER).next_multiple_of(4);
    let mut old = None;
    while store.get(at..at + VARIABLE_START.len()) == Some(&VARIABLE_START[..]) {
        let lengths = (
            u32_at(store, at + NAME_LENGTH)?,
            u32_at(store, at + DATA_LENGTH)?,
        );
        let begin = at + VARIABLE_HEADER;
        let is_database = store.get(begin..begin + lengths.0) == Some(name.as_slice());
        if is_database && store[at + STATE] == VALID {
            old = Some(at);
        }
        at = (begin + lengths.0 + lengths.1).next_multiple_of(4);
    }
    let old = old.context("the firmware's variables have no keys of Secure Boot")?;
    let mut variable = store[old..old + VARIABLE_HEADER].to_vec();
    variable[DATA_LENGTH..DATA_LENGTH + 4]
        .copy_from_slice(&u32::try_from(content.len())?.to_le_bytes());
    variable.extend(name);
    variable.extend(content);
    store[old + STATE] &= !NOT_DELETED;
    let free = store
        .get_mut(at..at + variable.len())
        .context("the firmware's variables have no room")?;
    ensure!(
        free.iter().all(|byte| *byte == 0xFF),
        "the firmware's variables go on behind the last"
    );
    free.copy_from_slice(&variable);
    Ok(())
}

fn u32_at(bytes: &[u8], place: usize) -> Result<usize> {
    let field = bytes
        .get(place..place + 4)
        .with_context(|| format!("reading four bytes at {place}"))?;
    let number = u32::from_le_bytes(field.try_into()?);
    Ok(usize::try_from(number)?)
}

#[cfg(test)]
mod tests {
    use super::{parse_certificates, replace_database, signature_list};

    /// A variable with its header, as edk2 writes it.
    fn variable(name: &str, data: &[u8]) -> Vec<u8> {
        let name: Vec<u8> = name
            .encode_utf16()
            .chain([0])
            .flat_map(u16::to_le_bytes)
            .collect();
        let mut bytes = vec![0xAA, 0x55, 0x3F, 0];
        bytes.resize(36, 7);
        for length in [name.len(), data.len()] {
            bytes.extend((length as u32).to_le_bytes());
        }
        bytes.resize(60, 9);
        bytes.extend(name);
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(4), 0xFF);
        bytes
    }

    #[test]
    fn the_old_authorities_are_deleted_and_the_new_ones_come_last() {
        let mut store = vec![0; 100];
        store[0x30] = 72;
        let (old, other) = (variable("db", b"old"), variable("dbx", b"revoked"));
        store.extend(old.iter().chain(&other));
        let (first, last) = (100, store.len());
        store.resize(last + 100, 0xFF);
        replace_database(&mut store, b"new ones").unwrap();
        assert_eq!(store[first + 2], 0x3D);
        assert_eq!(store[first + 3..first + old.len()], old[3..]);
        assert_eq!(store[first + old.len()..last], other);
        let new = variable("db", b"new ones");
        // The name and the data end in the middle of four bytes.
        assert_eq!(store[last..last + new.len()], new);
        let mut full = store[..last].to_vec();
        full[first + 2] = 0x3F;
        assert!(replace_database(&mut full, b"new").is_err());
    }

    #[test]
    fn certificates_are_read_as_both_versions_of_openssl_print_them() {
        let block = "-----BEGIN CERTIFICATE-----\nAAEC\nAw==\n-----END CERTIFICATE-----\n\n";
        let printed = format!(
            "subject=C = US, CN = First CA\nissuer=CN = Root\n{block}subject=C=US, CN=Second CA\nissuer=CN=Root\n{block}"
        );
        let found = parse_certificates(&printed).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["First CA", "Second CA"]);
        assert!(
            found
                .iter()
                .all(|(_, certificate)| certificate == &[0, 1, 2, 3])
        );
    }

    #[test]
    fn a_list_holds_its_own_length_and_that_of_its_entry() {
        let list = signature_list(&[5; 4]).unwrap();
        assert_eq!(list.len(), 48);
        assert_eq!(list[16..28], [48, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0]);
    }
}
