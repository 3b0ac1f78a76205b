//! Reads files of unknown origin, such as those of disks that others may have written: a pipe does not block, a device is not
//! read, and a huge file does not fill the memory.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::yaml::parse::LARGEST;

/// Opens a regular file to read. Anything else is an error: opening a pipe would wait for its other end.
pub fn open(path: &Path) -> Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(Error::other("it is no regular file"));
    }
    File::open(path)
}

/// The content of a regular file. Anything else is an error, and so is a file above the limit for documents.
pub fn bytes(path: &Path) -> Result<Vec<u8>> {
    all_of(open(path)?)
}

/// What can be read from `source`, such as a pipe, with an error above the limit for documents.
pub fn all_of(source: impl Read) -> Result<Vec<u8>> {
    let bytes = first_bytes(source)?;
    if bytes.len() > LARGEST {
        return Err(Error::new(ErrorKind::FileTooLarge, "it is too large"));
    }
    Ok(bytes)
}

/// The content of a regular file of text, with the errors of [`bytes`].
pub fn text(path: &Path) -> Result<String> {
    String::from_utf8(bytes(path)?).map_err(|error| Error::new(ErrorKind::InvalidData, error))
}

/// The content of a document. Reading ends one byte above the limit for documents: that byte shows that the file is
/// too large. `None` if there is no file; an error if it cannot be read.
pub(crate) fn read(path: &Path) -> Option<std::result::Result<Vec<u8>, Diagnostic>> {
    if !path.is_file() {
        return None;
    }
    let read = open(path).and_then(first_bytes);
    Some(read.map_err(|error| Diagnostic::error("", format!("it cannot be read: {error}"))))
}

fn first_bytes(source: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{LARGEST, all_of, bytes, open, text};
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    #[test]
    fn only_regular_files_of_a_limited_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made = Command::new("mkfifo").arg(path("pipe")).status().unwrap();
        assert!(made.success());
        symlink("/dev/zero", path("device")).unwrap();
        fs::create_dir(path("folder")).unwrap();
        for name in ["pipe", "device", "folder"] {
            let error = open(&path(name)).unwrap_err().to_string();
            assert_eq!(error, "it is no regular file", "{name}");
            assert!(text(&path(name)).is_err());
        }
        let endless = fs::File::open("/dev/zero").unwrap();
        assert_eq!(all_of(endless).unwrap_err().kind(), ErrorKind::FileTooLarge);
        fs::write(path("file"), "x").unwrap();
        assert_eq!(text(&path("file")).unwrap(), "x");
        fs::write(path("file"), vec![b'x'; LARGEST]).unwrap();
        assert_eq!(bytes(&path("file")).unwrap().len(), LARGEST);
        fs::write(path("file"), vec![b'x'; LARGEST + 1]).unwrap();
        assert_eq!(
            bytes(&path("file")).unwrap_err().kind(),
            ErrorKind::FileTooLarge
        );
        fs::write(path("file"), [0xff]).unwrap();
        assert_eq!(
            text(&path("file")).unwrap_err().kind(),
            ErrorKind::InvalidData
        );
        assert_eq!(text(&path("none")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
