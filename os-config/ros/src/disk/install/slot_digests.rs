//! The digests that a slot has of its own files: a medium that gives back other bytes is found before a disk is touched.

use std::fs::{self, File};
use std::io::{Read, copy};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::disk::slot_image;

/// The files of a slot, and the lines of its file `version` with their SHA-256 in hexadecimal.
const FILES: [(&str, &str); 4] = [
    ("os.img", "os_img_sha256"),
    ("vmlinuz", "vmlinuz_sha256"),
    ("initrd", "initrd_sha256"),
    ("entry.cfg", "entry_cfg_sha256"),
];

/// Compares the files of the slot that is mounted on `slot` with its digests. A file without a digest is not compared.
///
/// # Errors
/// A file is missing, cannot be read, or has another digest.
pub(super) fn check(slot: &Path) -> Result<()> {
    let version = fs::read_to_string(slot.join(slot_image::VERSION)).unwrap_or_default();
    for (name, key) in FILES {
        let Some(expected) = slot_image::value(&version, key) else {
            continue;
        };
        let reading = || format!("reading {name} of the system");
        let file = File::open(slot.join(name)).with_context(reading)?;
        ensure!(
            digest(file).with_context(reading)? == expected,
            "{name} of the system is damaged (hint: write the medium anew, or take another)"
        );
    }
    Ok(())
}

fn digest(mut file: impl Read) -> Result<String> {
    let mut hash = Sha256::new();
    copy(&mut file, &mut hash)?;
    Ok(format!("{:x}", hash.finalize()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{FILES, check, digest};

    #[test]
    fn a_damaged_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let slot = folder.path();
        check(slot).unwrap();
        let mut version = "version=1.2.3\n".to_owned();
        for (name, key) in FILES {
            fs::write(slot.join(name), name).unwrap();
            version += &format!("{key}={}\n", digest(name.as_bytes()).unwrap());
        }
        fs::write(slot.join("version"), version).unwrap();
        check(slot).unwrap();
        for (name, _) in FILES {
            fs::write(slot.join(name), "damaged").unwrap();
            let error = check(slot).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{name} of the system is damaged")),
                "{error}"
            );
            fs::remove_file(slot.join(name)).unwrap();
            let error = check(slot).unwrap_err().to_string();
            assert_eq!(error, format!("reading {name} of the system"));
            fs::write(slot.join(name), name).unwrap();
        }
    }
}
