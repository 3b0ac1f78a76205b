//! The sources of an image: a folder with a Dockerfile and, optionally, files in `rootfs`.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::build::files::sorted_entries;
use crate::build::key::Key;

/// A folder with a Dockerfile; the image has the folder's name.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) folder: PathBuf,
}

impl Source {
    /// The folders of `parent` that have a Dockerfile. Fails if there are none.
    pub(crate) fn list(parent: &Path) -> Result<Vec<Self>> {
        let mut folders = sorted_entries(parent)?;
        folders.retain(|folder| folder.join("Dockerfile").exists());
        ensure!(
            !folders.is_empty(),
            "finding a Dockerfile in {}",
            parent.display()
        );
        Ok(folders.into_iter().map(|folder| Self { folder }).collect())
    }

    pub(crate) fn name(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The tag under which buildah keeps the image.
    pub(crate) fn tag(&self) -> String {
        format!("paddock/{}", self.name())
    }

    /// `key` with the Dockerfile and the files of `rootfs`.
    pub(crate) fn add_to_key(&self, key: Key) -> Result<Key> {
        let key = key.file(&self.folder.join("Dockerfile"))?;
        match self.folder.join("rootfs") {
            rootfs if rootfs.exists() => key.tree(&rootfs),
            _ => Ok(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::Source;

    #[test]
    fn no_image_fetches_package_lists_of_its_own() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for parent in [
            "images/system",
            "images/catalogue/dockerfiles",
            "qemu-tests/images",
        ] {
            for source in Source::list(&repository.join(parent)).unwrap() {
                let text = fs::read_to_string(source.folder.join("Dockerfile")).unwrap();
                let fetches = ["apt-get update", "apt update"];
                let has = fetches.iter().any(|command| text.contains(command));
                assert!(!has, "{} is to take the build's lists", source.name());
            }
        }
    }
}
