//! Steps with content-hash caching: a step's key covers everything that its output depends on.
//!
//! A step makes its output under a temporary name, so that no incomplete output has the final name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::build::artifact::Artifact;
use crate::build::command::Log;
use crate::build::files::{megabytes, remove, write};
use crate::build::key::Key;
use crate::build::progress::announce;

/// The output of a step, and the key of its inputs.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// The step prints this name; its stamp and its log are files of this name.
    pub(crate) name: &'a str,
    pub(crate) output: PathBuf,
    pub(crate) key: Key,
}

/// The runner of steps: it keeps their stamps and logs.
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

    /// Makes the step's output with `make`, unless the output of the same key exists.
    /// `make` gets the path to write to.
    pub(crate) fn run(
        &self,
        step: Step<'_>,
        make: impl FnOnce(&Path, &Log) -> Result<()>,
    ) -> Result<Artifact> {
        let Step { name, output, key } = step;
        let key = key.hex();
        let stamp = self.folder.join("stamps").join(name.replace('/', "-"));
        if output.exists() && fs::read_to_string(&stamp).is_ok_and(|found| found == key) {
            return Ok(Artifact { path: output, key });
        }
        let progress = announce(name);
        let log = Log::create(
            self.folder
                .join("logs")
                .join(format!("{}.log", name.replace('/', "-"))),
        )?;
        let temporary = temporary_path(&output);
        remove(&stamp)?;
        remove(&temporary)?;
        if let Some(parent) = output.parent() {
            fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        let made = make(&temporary, &log).and_then(|()| replace_output(&temporary, &output));
        if let Err(error) = made {
            let _ = remove(&temporary);
            return Err(error.context(format!("build step {name}")));
        }
        write(&stamp, &key)?;
        progress.finish_with(&size_note(&output));
        Ok(Artifact { path: output, key })
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::{Step, Steps, temporary_path};
    use crate::build::files::write;
    use crate::build::key::Key;

    #[test]
    fn an_unchanged_step_is_not_run_again_and_a_failed_one_leaves_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        let steps = Steps::new(folder);
        let output = folder.join("dist/thing");
        let runs = Cell::new(0);
        let make = |text: &str, fails: bool| {
            let step = Step {
                name: "thing",
                output: output.clone(),
                key: Key::default().text(text),
            };
            steps.run(step, |to, _| {
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
    }
}
