//! The user's files of the configuration and their order.

use std::fs;
use std::path::{Path, PathBuf};

use crate::paths::{self, CLOUD_CONFIG_FOLDER, below_root};

/// The folder with the user's files, below the root.
pub(crate) const CONF: &str = below_root(paths::CONF);
/// The names of files with a data source's vendor-data begin with this word.
pub const VENDOR_FILES: &str = "boot-vendor";
const STORED: &str = "cloud-config.yml";

/// The paths of the user's files below `root`, in the order of merging.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let conf = root.join(CONF);
    let names = user_files(&conf).into_iter();
    names
        .map(|name| conf.join(name))
        .filter(|path| path.is_file())
        .collect()
}

/// `cloud-config.d/*` by name, then `cloud-config.yml`. Hidden files, unfinished files (`.new`) and an editor's backups
/// (`~`) do not count.
pub(crate) fn user_files(conf: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(conf.join(CLOUD_CONFIG_FOLDER))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| {
            let name = name.to_string_lossy();
            !(name.starts_with('.') || name.ends_with(".new") || name.ends_with('~'))
        })
        .map(|name| Path::new(CLOUD_CONFIG_FOLDER).join(name))
        .collect();
    names.sort();
    names.push(STORED.into());
    names
}

/// Whether a file of [`user_files`] holds vendor-data.
pub(crate) fn is_vendor_data(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.parent() == Some(Path::new(CLOUD_CONFIG_FOLDER)) && name.starts_with(VENDOR_FILES)
}
