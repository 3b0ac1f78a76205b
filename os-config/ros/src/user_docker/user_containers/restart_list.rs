//! The names of the user's containers that `ros` has stopped and starts again. A name is on the disk from before its
//! container stops until after its container has been started: a power cut in between loses no container.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::paths::STOPPED_CONTAINERS;
use os_config::atomic_file;

/// The list of this machine, or of a test.
#[derive(Debug)]
pub(crate) struct RestartList(PathBuf);

impl RestartList {
    /// The list of this machine.
    pub(crate) fn of_machine() -> Self {
        Self(PathBuf::from(STOPPED_CONTAINERS))
    }

    /// The names, in the order of starting.
    pub(crate) fn containers(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Whether a list was written, with names or without.
    pub(crate) fn is_written(&self) -> bool {
        self.0.exists()
    }

    /// Writes the names of containers that are about to stop. Names of the last list stay: their start was cut off.
    pub(crate) fn write(&self, names: &[String]) -> Result<()> {
        let mut all = self.containers();
        all.retain(|name| !names.contains(name));
        all.extend_from_slice(names);
        self.replace(&all)
    }

    /// Removes a name whose container has been started.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let mut names = self.containers();
        names.retain(|other| other != name);
        self.replace(&names)
    }

    /// Removes the list: every container of it has been started.
    pub(crate) fn clear(&self) -> Result<()> {
        fs::remove_file(&self.0).with_context(|| format!("removing {}", self.path().display()))
    }

    fn replace(&self, names: &[String]) -> Result<()> {
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        atomic_file::replace(&self.0, text.as_bytes(), 0o600)
            .with_context(|| format!("writing {}", self.path().display()))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::RestartList;

    fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
        names.map(str::to_owned).into()
    }

    #[test]
    fn a_name_stays_until_its_container_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let list = RestartList(folder.path().join("list"));
        assert!(!list.is_written());
        list.write(&names(["db", "web", "cache"])).unwrap();
        list.remove("db").unwrap();
        // The machine is cut off here: the next boot starts the others.
        assert_eq!(list.containers(), names(["web", "cache"]));
        // It goes down before it has started them.
        list.write(&names(["db", "cache"])).unwrap();
        assert_eq!(list.containers(), names(["web", "db", "cache"]));
        list.clear().unwrap();
        assert!(!list.is_written());
        // A list without names is written too: it says that the names are known.
        list.write(&[]).unwrap();
        assert!(list.is_written());
    }

    #[test]
    fn a_list_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let list = RestartList(file.join("list"));
        assert!(list.write(&names(["db"])).is_err());
        assert!(!list.is_written());
    }
}
