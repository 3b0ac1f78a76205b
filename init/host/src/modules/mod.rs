//! Loads kernel modules by name and by the hardware's `modalias`, without kmod.
//!
//! The initrd has no shared libraries, so the text files that `depmod` writes are read here.
//!
//! The crate `kmod` is left out: it binds libkmod, a C library.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use os_config::shell_pattern;

use self::index::{canonical_name, parse_aliases, parse_dependencies, parse_soft};
use self::options::Options;
use crate::kernel_line;
use crate::problems::{self, ProblemRecord};
use crate::process::deadline::{self, NoAnswer};

mod index;
mod options;

/// The limit for a driver, which looks at its devices while it is loaded. A driver that takes longer goes on: its
/// devices appear later.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(30);

/// The module index of the running kernel, and the modules that were loaded through it.
#[derive(Debug, Default)]
pub struct Modules {
    folder: PathBuf,
    /// Canonical name → path in the folder and the modules that it needs, nearest first.
    dependencies: BTreeMap<String, (String, Vec<String>)>,
    /// Pattern and module, in the order of the file.
    aliases: Vec<(String, String)>,
    soft: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
    /// The modules whose loading has begun, with the errors of those that failed.
    tried: BTreeMap<String, Option<String>>,
    seen_aliases: BTreeSet<String>,
    options: Options,
}

impl Modules {
    /// Reads the index under `lib/modules/<release>` below `root`, and the kernel line's words for modules. A missing
    /// index counts as empty: a kernel with all drivers built in boots too.
    pub fn read(root: &Path, release: &str) -> Self {
        let folder = root.join("lib/modules").join(release);
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let mut modules = Self {
            dependencies: parse_dependencies(&text("modules.dep")),
            aliases: parse_aliases(&text("modules.alias")),
            soft: parse_soft(&text("modules.softdep")),
            builtin: text("modules.builtin")
                .lines()
                .map(canonical_name)
                .collect(),
            options: Options::parse(&kernel_line::read(root)),
            ..Self::default()
        };
        modules.folder = folder;
        modules
    }

    /// Loads `name` (a module or an alias) with its dependencies. A module that is loaded or built in is no error.
    pub fn load(&mut self, name: &str, parameters: &str) -> Result<()> {
        let canonical = canonical_name(name);
        let targets =
            if self.dependencies.contains_key(&canonical) || self.builtin.contains(&canonical) {
                vec![canonical]
            } else {
                self.resolve(name)
            };
        anyhow::ensure!(
            !targets.is_empty(),
            "loading module {name}: this kernel has no such module"
        );
        for target in targets {
            self.insert(&target, parameters)
                .with_context(|| format!("loading module {name}"))?;
        }
        Ok(())
    }

    /// Loads the drivers of the hardware in `sys/devices` below `root`: each alias once, and only drivers whose path
    /// `wanted` accepts. Returns the number of new aliases. A driver that fails is logged, as in coldplug.
    pub fn load_for_hardware(&mut self, root: &Path, wanted: impl Fn(&str) -> bool) -> usize {
        let mut new = 0;
        for alias in aliases_of_hardware(root) {
            if !self.seen_aliases.insert(alias.clone()) {
                continue;
            }
            new += 1;
            for module in self.resolve(&alias) {
                if self.options.is_blacklisted(&module) {
                    continue;
                }
                let path = self
                    .dependencies
                    .get(&module)
                    .map(|(path, _)| path.as_str());
                if !path.is_some_and(&wanted) {
                    continue;
                }
                if let Err(error) = self.insert(&module, "") {
                    log::debug!("driver {module}: {error:#}");
                }
            }
        }
        new
    }

    /// Modules whose alias patterns match `alias`.
    fn resolve(&self, alias: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (pattern, module) in &self.aliases {
            if shell_pattern::matches(pattern, alias) && !found.contains(module) {
                found.push(module.clone());
            }
        }
        found
    }

    fn insert(&mut self, name: &str, parameters: &str) -> Result<()> {
        if self.builtin.contains(name) {
            return Ok(());
        }
        match self.tried.get(name) {
            Some(None) => return Ok(()),
            // A module can fail as another's wish; its own request must not pass for a success.
            Some(Some(error)) => anyhow::bail!("{error}"),
            None => {}
        }
        self.tried.insert(name.to_owned(), None);
        let result = self.insert_with_needs(name, parameters);
        if let Err(error) = &result {
            self.tried
                .insert(name.to_owned(), Some(format!("{error:#}")));
        }
        result
    }

    fn insert_with_needs(&mut self, name: &str, parameters: &str) -> Result<()> {
        let Some((path, needs)) = self.dependencies.get(name).cloned() else {
            anyhow::bail!("module {name} is not in modules.dep");
        };
        for wish in self.soft.get(name).cloned().unwrap_or_default() {
            // A soft dependency is a wish: a module is loaded without it too.
            let _ = self.load(&wish, "");
        }
        // The farthest dependency is listed last.
        for needed in needs.iter().rev() {
            self.insert(&canonical_name(needed), "")?;
        }
        let parameters = self.options.parameters(name, parameters);
        insert_file(&self.folder.join(&path), &parameters)
    }
}

fn insert_file(path: &Path, parameters: &str) -> Result<()> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let parameters = CString::new(parameters).context("module parameters with a NUL")?;
    // The build unpacks all modules, because the image as a whole compresses better.
    let insert = move || match finit_module(&file, &parameters, ModuleInitFlags::empty()) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(error) => Err(error.into()),
    };
    let inserted = insert_within(DRIVER_TIMEOUT, path, insert);
    if let Err(error) = &inserted
        && error.is::<NoAnswer>()
    {
        let text = format!("{error}; the machine goes on without its devices");
        problems::report(&ProblemRecord::error("driver", "drivers", text));
    }
    inserted.with_context(|| format!("inserting {}", path.display()))
}

fn insert_within(
    limit: Duration,
    path: &Path,
    insert: impl FnOnce() -> Result<()> + Send + 'static,
) -> Result<()> {
    let module = path.file_stem().unwrap_or_default().to_string_lossy();
    deadline::run(limit, &format!("driver {module}"), insert, drop)
}

/// Every distinct modalias below `sys/devices`.
fn aliases_of_hardware(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.join("sys/devices")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            // Symbolic links lead back up the tree; only real folders are devices.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(entry.path());
            } else if entry.file_name() == "modalias"
                && let Ok(text) = std::fs::read_to_string(entry.path())
                && !text.trim().is_empty()
            {
                found.insert(text.trim_end().to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Modules, insert_within};
    use std::path::Path;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn a_driver_that_never_answers_is_left_behind() {
        let (open, gate) = channel::<()>();
        let hang = move || {
            let _ = gate.recv();
            Ok(())
        };
        let path = Path::new("/lib/modules/6.12/kernel/mpt3sas.ko");
        let error = insert_within(Duration::from_millis(20), path, hang).unwrap_err();
        assert_eq!(error.to_string(), "driver mpt3sas: no answer in 0 s");
        drop(open);
    }

    #[test]
    fn a_module_that_failed_for_another_fails_for_itself_too() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("lib/modules/6.12");
        std::fs::create_dir_all(&folder).unwrap();
        let index = "kernel/hen.ko: kernel/egg.ko\nkernel/egg.ko:\nkernel/cow.ko:\n";
        std::fs::write(folder.join("modules.dep"), index).unwrap();
        std::fs::write(folder.join("modules.softdep"), "softdep cow pre: calf\n").unwrap();
        // The folder has no module: each fails.
        let mut modules = Modules::read(root.path(), "6.12");
        for name in ["hen", "egg", "hen", "cow", "calf"] {
            let error = modules.load(name, "").unwrap_err();
            assert!(format!("{error:#}").starts_with(&format!("loading module {name}: ")));
        }
    }
}
