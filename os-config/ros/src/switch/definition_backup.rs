//! The backup of a definition while a new version of it is tried. The former definition lies beside the new file, and
//! comes back unless the new definition is kept, however the trial ends.

use std::fs;
use std::path::{Path, PathBuf};

use os_config::load::include::CACHE;

const EXTENSION: &str = "before";

/// The file of a definition that is about to be fetched. A dropped value gives the file its former content back, unless
/// [`keep`] was called.
#[derive(Debug)]
pub(crate) struct DefinitionBackup(PathBuf);

impl DefinitionBackup {
    pub(crate) fn begin(file: PathBuf) -> Self {
        // An earlier trial may have been interrupted.
        restore(&file);
        // A second name of the same file: it is whole at every moment, and a full disk has room for it. The new definition
        // replaces the file and does not write into it.
        if file.exists()
            && let Err(error) = fs::hard_link(&file, backup_of(&file))
        {
            eprintln!("ros: keeping {}: {error}", file.display());
        }
        Self(file)
    }

    pub(crate) fn file(&self) -> &Path {
        &self.0
    }
}

impl Drop for DefinitionBackup {
    fn drop(&mut self) {
        restore(&self.0);
    }
}

/// Keeps the new definition: removes the backup.
pub(crate) fn keep(file: &Path) {
    // A definition that is fetched for the first time has no backup.
    let _ = fs::remove_file(backup_of(file));
}

/// Puts back the backups of trials that a power cut ended.
pub(crate) fn recover() {
    let entries = fs::read_dir(Path::new("/").join(CACHE));
    for entry in entries.into_iter().flatten().flatten() {
        let backup = entry.path();
        if backup
            .extension()
            .is_some_and(|extension| extension == EXTENSION)
        {
            restore(&backup.with_extension("yml"));
        }
    }
}

fn backup_of(file: &Path) -> PathBuf {
    file.with_extension(EXTENSION)
}

fn restore(file: &Path) {
    let backup = backup_of(file);
    // An earlier version copied the definition, and a power cut left an empty copy.
    if fs::metadata(&backup).is_ok_and(|found| found.len() == 0) {
        let _ = fs::remove_file(&backup);
    }
    if backup.exists()
        && let Err(error) = fs::rename(&backup, file)
    {
        eprintln!("ros: putting {} back: {error}", file.display());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use os_config::atomic_file::replace;

    use super::{DefinitionBackup, keep, restore};

    #[test]
    fn a_former_definition_comes_back_unless_the_new_definition_is_kept() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let file = folder.join("a.yml");
        let now = || fs::read_to_string(&file).unwrap_or_default();
        // The first definition, which is not kept.
        drop(DefinitionBackup::begin(file.clone()));
        assert_eq!(now(), "");
        fs::write(&file, "old").unwrap();
        let fetched = DefinitionBackup::begin(file.clone());
        replace(fetched.file(), b"untried", 0o600).unwrap();
        drop(fetched);
        assert_eq!(now(), "old");
        // An interrupted trial, and the next trial.
        let interrupted = DefinitionBackup::begin(file.clone());
        replace(&file, b"untried", 0o600).unwrap();
        std::mem::forget(interrupted);
        let fetched = DefinitionBackup::begin(file.clone());
        assert_eq!(now(), "old");
        replace(&file, b"new", 0o600).unwrap();
        keep(&file);
        drop(fetched);
        assert_eq!(now(), "new");
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }
    #[test]
    fn an_empty_backup_replaces_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("a.yml");
        fs::write(&file, "good").unwrap();
        fs::write(file.with_extension("before"), "").unwrap();
        restore(&file);
        assert_eq!(fs::read_to_string(&file).unwrap(), "good");
        assert!(!file.with_extension("before").exists());
    }
}
