//! Reads the files of a data source from a folder.

use std::fs::OpenOptions;
use std::io::{Error, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::error::SourceError;
use crate::size_limit::SIZE_LIMIT;

/// Reads a file of a data source; `None` if it does not exist.
pub(crate) fn read_file(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
    let failed = |error| SourceError::Read {
        file: name.to_owned(),
        error,
    };
    // Opening a pipe would wait for a writer, for ever.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags.bits());
    match options.open(folder.join(name)) {
        Ok(file) => {
            if !file.metadata().map_err(failed)?.is_file() {
                return Err(failed(Error::other("it is no regular file")));
            }
            let mut bytes = Vec::new();
            file.take(SIZE_LIMIT)
                .read_to_end(&mut bytes)
                .map_err(failed)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::read_file;

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        nix::unistd::mkfifo(&folder.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.join("device")).unwrap();
        std::fs::create_dir(folder.join("folder")).unwrap();
        for name in ["pipe", "device", "folder"] {
            let error = read_file(folder, name).unwrap_err().to_string();
            assert!(error.contains("no regular file"), "{error}");
        }
        std::fs::write(folder.join("file"), "x").unwrap();
        assert_eq!(read_file(folder, "file").unwrap().unwrap(), b"x");
        assert_eq!(read_file(folder, "none").unwrap(), None);
    }
}
