//! The paths of the built system and of the files that tests write.

use std::path::{Path, PathBuf};

/// The top of the repository.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The built system: `dist/`, or the folder that `PADDOCK_DIST` names.
pub fn dist() -> PathBuf {
    std::env::var_os("PADDOCK_DIST").map_or_else(|| repository().join("dist"), PathBuf::from)
}

/// The images that are built for tests only.
pub fn test_images() -> PathBuf {
    repository().join("build/test-images")
}

/// The folder for the files of all tests.
pub fn artifacts() -> PathBuf {
    repository().join("build/qemu-tests")
}
