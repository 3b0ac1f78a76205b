//! Steps with content-hash caching: a step's key covers everything that its output depends on, and
//! the output is made under a temporary name, so that it either is whole or is not there.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::build::command::Log;

/// What a step's output depends on, as one hash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Key(Sha256);

impl Key {
    /// A key that covers the text of the code which makes the output.
    pub(crate) fn of_code(source: &str) -> Self {
        Self::default().text(source)
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

/// The entries of `folder`, by name.
pub(crate) fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .with_context(|| format!("listing {}", folder.display()))?
        .into_iter()
        .map(|entry| entry.path())
        .collect::<Vec<_>>();
    entries.sort();
    Ok(entries)
}

/// Where steps keep their stamps and logs.
#[derive(Debug)]
pub(crate) struct Steps {
    folder: PathBuf,
}

impl Steps {
    /// `folder` is the build folder.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Makes `output` with `make` unless it was made from the same `key` already, and returns the
    /// key for the steps that depend on this one. `make` writes to the path that it is given.
    pub(crate) fn run(
        &self,
        name: &str,
        (output, key): (&Path, &Key),
        make: impl FnOnce(&Path, &Log) -> Result<()>,
    ) -> Result<String> {
        let key = key.hex();
        let stamp = self.folder.join("stamps").join(name.replace('/', "-"));
        if output.exists() && fs::read_to_string(&stamp).is_ok_and(|found| found == key) {
            return Ok(key);
        }
        eprintln!("  {name} …");
        let started = Instant::now();
        let log = Log::create(
            self.folder
                .join("logs")
                .join(format!("{}.log", name.replace('/', "-"))),
        )?;
        let temporary = temporary_path(output);
        remove(&stamp)?;
        remove(&temporary)?;
        if let Some(parent) = output.parent() {
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        let made = make(&temporary, &log).and_then(|()| replace_output(&temporary, output));
        if let Err(error) = made {
            let _ = remove(&temporary);
            return Err(error.context(format!("build step {name}")));
        }
        write(&stamp, &key)?;
        eprintln!(
            "  {name} {:.1} s{}",
            started.elapsed().as_secs_f32(),
            size_note(output)
        );
        Ok(key)
    }
}

fn temporary_path(output: &Path) -> PathBuf {
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!("{name}.unfinished"))
}

fn replace_output(temporary: &Path, output: &Path) -> Result<()> {
    remove(output)?;
    fs::rename(temporary, output)
        .with_context(|| format!("renaming {} to {}", temporary.display(), output.display()))
}

fn size_note(output: &Path) -> String {
    match fs::metadata(output) {
        Ok(about) if about.is_file() => format!(", {}", megabytes(about.len())),
        _ => String::new(),
    }
}

/// A size for people: millions of bytes, as on the box of a medium.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Removes a file, a link or a whole folder; nothing there is fine.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
    };
    removed.with_context(|| format!("removing {}", path.display()))
}

/// Writes `text` to `path`, making its folders.
pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn an_unchanged_step_is_not_run_again_and_a_failed_one_leaves_nothing() {
        let folder = std::env::temp_dir().join(format!("iso-step-{}", std::process::id()));
        let steps = Steps::new(&folder);
        let output = folder.join("dist/thing");
        let runs = Cell::new(0);
        let make = |text: &str, fails: bool| {
            steps.run("thing", (&output, &Key::default().text(text)), |to, _| {
                runs.set(runs.get() + 1);
                write(to, text)?;
                anyhow::ensure!(!fails, "no more disk");
                Ok(())
            })
        };
        make("one", false).unwrap();
        make("one", false).unwrap();
        assert_eq!(runs.get(), 1);
        let error = format!("{:#}", make("two", true).unwrap_err());
        assert_eq!(error, "build step thing: no more disk");
        assert_eq!(fs::read_to_string(&output).unwrap(), "one");
        assert!(!temporary_path(&output).exists());
        make("one", false).unwrap();
        assert_eq!(
            runs.get(),
            3,
            "after a failure nothing is taken for unchanged"
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn keys_tell_parts_apart() {
        let joined = Key::default().text("ab").hex();
        let split = Key::default().text("a").text("b").hex();
        assert_ne!(joined, split);
    }
}
