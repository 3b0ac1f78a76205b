//! The result of a step, as later steps use it.

use std::path::PathBuf;

/// A file or folder, and the key of everything that it was made from.
#[derive(Debug, Clone)]
pub(crate) struct Artifact {
    pub(crate) path: PathBuf,
    pub(crate) key: String,
}

impl Artifact {
    /// A file or folder inside this folder; its key is the same.
    pub(crate) fn part(&self, name: &str) -> Self {
        Self {
            path: self.path.join(name),
            key: self.key.clone(),
        }
    }
}
