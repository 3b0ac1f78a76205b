//! Reads files of unknown origin: a pipe does not block, and a huge file does not fill the memory.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::diagnostic::Diagnostic;
use crate::yaml::parse::LARGEST;

/// The content of a regular file. Reading ends one byte above the limit for documents: that byte shows that the file is
/// too large. `None` if there is no file; an error if it cannot be read.
pub(crate) fn read(path: &Path) -> Option<Result<Vec<u8>, Diagnostic>> {
    // Opening a pipe would wait for its other end.
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes));
    Some(
        read.map(|_| bytes)
            .map_err(|error| Diagnostic::error("", format!("it cannot be read: {error}"))),
    )
}
