//! The folders of a build: the source tree, the intermediate results and the results.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The absolute paths of the folders.
#[derive(Debug)]
pub(crate) struct Folders {
    pub(crate) repository: PathBuf,
    pub(crate) build: PathBuf,
    pub(crate) dist: PathBuf,
}

impl Folders {
    /// Fails if `repository` does not exist.
    pub(crate) fn new(repository: &Path) -> Result<Self> {
        let repository = repository
            .canonicalize()
            .with_context(|| format!("finding the repository at {}", repository.display()))?;
        Ok(Self {
            build: repository.join("build"),
            dist: repository.join("dist"),
            repository,
        })
    }
}
