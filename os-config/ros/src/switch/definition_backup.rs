//! Definitions that are fetched to be tried: what was kept of an address before comes back unless the new one
//! serves, whatever ends the try. Until then it stays beside it in a file of its own.

use std::fs;
use std::path::{Path, PathBuf};

use os_config::load::include::CACHE;

const BEFORE: &str = "before";

/// The file of a definition that is about to be fetched; dropped, it has what it had, unless [`keep`] was called.
#[derive(Debug)]
pub(crate) struct DefinitionBackup(PathBuf);

impl DefinitionBackup {
    pub(crate) fn begin(file: PathBuf) -> Self {
        // One that was interrupted.
        put_back(&file);
        if file.exists()
            && let Err(error) = fs::copy(&file, before(&file))
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
        put_back(&self.0);
    }
}

/// The new definition serves: what was there before is not needed any more.
pub(crate) fn keep(file: &Path) {
    // There may be none.
    let _ = fs::remove_file(before(file));
}

/// Puts back what tries that ended with the power have left.
pub(crate) fn recover() {
    let entries = fs::read_dir(Path::new("/").join(CACHE));
    for entry in entries.into_iter().flatten().flatten() {
        let left = entry.path();
        if left
            .extension()
            .is_some_and(|extension| extension == BEFORE)
        {
            put_back(&left.with_extension("yml"));
        }
    }
}

fn before(file: &Path) -> PathBuf {
    file.with_extension(BEFORE)
}

fn put_back(file: &Path) {
    let before = before(file);
    if before.exists()
        && let Err(error) = fs::rename(&before, file)
    {
        eprintln!("ros: putting {} back: {error}", file.display());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{DefinitionBackup, keep};

    #[test]
    fn what_was_there_comes_back_unless_the_new_one_is_kept() {
        let folder = std::env::temp_dir().join(format!("fetched-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("a.yml");
        let now = || fs::read_to_string(&file).unwrap_or_default();
        // There was nothing, and nobody chose it.
        drop(DefinitionBackup::begin(file.clone()));
        assert_eq!(now(), "");
        fs::write(&file, "old").unwrap();
        let fetched = DefinitionBackup::begin(file.clone());
        fs::write(fetched.file(), "untried").unwrap();
        drop(fetched);
        assert_eq!(now(), "old");
        // One that nobody could drop, and the next.
        let interrupted = DefinitionBackup::begin(file.clone());
        fs::write(&file, "untried").unwrap();
        std::mem::forget(interrupted);
        let fetched = DefinitionBackup::begin(file.clone());
        assert_eq!(now(), "old");
        fs::write(&file, "new").unwrap();
        keep(&file);
        drop(fetched);
        assert_eq!(now(), "new");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
