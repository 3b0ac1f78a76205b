//! The key of a step: one hash of everything that the step's output depends on.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::build::files::sorted_entries;

/// A hash of the inputs of a step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Key(Sha256);

impl Key {
    /// A key that covers the text of the source files whose code makes the output.
    pub(crate) fn of_code(sources: &[&str]) -> Self {
        Self::default().texts(sources)
    }

    pub(crate) fn texts(self, texts: &[&str]) -> Self {
        texts.iter().fold(self, |key, text| key.text(text))
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        self.add(text.as_bytes());
        self
    }

    /// Covers the contents of `file`.
    pub(crate) fn file(mut self, file: &Path) -> Result<Self> {
        let mut content = Vec::new();
        File::open(file)
            .and_then(|mut opened| opened.read_to_end(&mut content))
            .with_context(|| format!("reading {}", file.display()))?;
        self.add(&content);
        Ok(self)
    }

    /// Covers names, kinds, modes and contents of everything below `folder`.
    pub(crate) fn tree(mut self, folder: &Path) -> Result<Self> {
        for path in sorted_entries(folder)? {
            let about = fs::symlink_metadata(&path)
                .with_context(|| format!("reading {}", path.display()))?;
            self.add(path.file_name().unwrap_or_default().as_bytes());
            self.add(&about.permissions().mode().to_le_bytes());
            if about.is_dir() {
                self = self.tree(&path)?;
            } else if about.is_symlink() {
                let target =
                    fs::read_link(&path).with_context(|| format!("reading {}", path.display()))?;
                self.add(target.as_os_str().as_bytes());
            } else {
                self = self.file(&path)?;
            }
        }
        Ok(self)
    }

    pub(crate) fn hex(&self) -> String {
        hex(&self.0.clone().finalize())
    }

    /// Adds a length-prefixed part, so that no two lists of parts look alike.
    fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn keys_tell_parts_apart() {
        let joined = Key::default().text("ab").hex();
        let split = Key::default().text("a").text("b").hex();
        assert_ne!(joined, split);
    }
}
