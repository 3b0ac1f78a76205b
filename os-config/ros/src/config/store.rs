//! Changes the stored cloud-config: as a whole or not at all, and only one command at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use host::paths::{CLOUD_CONFIG, CONF, below_root};
use nix::fcntl::{Flock, FlockArg};
use os_config::document;
use serde_yaml::Value;

use crate::config::check::problems_of_part;
use crate::config::files::{self, read_input};
use crate::config::report::report;

/// The stored cloud-config of the machine with its files below `root`.
pub(crate) struct Store {
    root: PathBuf,
    conf: PathBuf,
    file: PathBuf,
}

impl Store {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            conf: root.join(below_root(CONF)),
            file: root.join(below_root(CLOUD_CONFIG)),
        }
    }

    pub(super) fn set(&self, key: &str, value: &str, force: bool) -> Result<ExitCode> {
        let _lock = self.lock()?;
        let mut stored = self.read()?;
        os_config::yaml::dotted::set(&mut stored, key, os_config::kernel_line::typed_value(value))
            .with_context(|| format!("setting {key}"))?;
        self.write(&stored, force)
    }

    pub(super) fn merge(&self, input: Option<&Path>) -> Result<ExitCode> {
        let (name, text) = read_input(input)?;
        if report(&problems_of_part(&self.root, &text, &name)) {
            return Ok(ExitCode::FAILURE);
        }
        let new =
            document::parse(&text).map_err(|unusable| anyhow!("{}", unusable.in_file(&name)))?;
        let _lock = self.lock()?;
        let stored =
            serde_yaml::to_string(&self.read()?).context("reading the stored cloud-config")?;
        let stored = document::parse(stored.as_bytes()).map_err(|unusable| {
            anyhow!("{}", unusable.in_file(&self.file.display().to_string()))
        })?;
        self.write(&document::merge(&stored, &new), false)
    }

    /// Fails if the stored cloud-config cannot be read, and so cannot be changed.
    pub(crate) fn check(&self) -> Result<()> {
        self.read().map(drop)
    }

    /// Whether the stored cloud-config has a value at a path. Other files of the configuration do not count.
    pub(crate) fn has(&self, path: &[&str]) -> Result<bool> {
        let stored = self.read()?;
        let found = path.iter().try_fold(&stored, |value, key| value.get(*key));
        Ok(found.is_some())
    }

    /// Sets texts by their dotted keys, even if the rest of the cloud-config has problems.
    pub(crate) fn set_texts(&self, texts: &[(&str, &str)]) -> Result<()> {
        let texts = texts.iter().map(|(key, text)| (*key, Value::from(*text)));
        self.set_all(texts)
    }

    /// Sets a switch by its dotted key.
    pub(crate) fn set_switch(&self, key: &str, state: bool) -> Result<()> {
        self.set_all([(key, Value::from(state))])
    }

    /// Removes a key and everything below it.
    pub(crate) fn remove(&self, path: &[&str]) -> Result<()> {
        let _lock = self.lock()?;
        let mut stored = self.read()?;
        let Some((last, sections)) = path.split_last() else {
            return Ok(());
        };
        let mut here = Some(&mut stored);
        for section in sections {
            here = here.and_then(|value| value.get_mut(*section));
        }
        if let Some(map) = here.and_then(Value::as_mapping_mut) {
            map.remove(*last);
        }
        self.write(&stored, true).map(drop)
    }

    fn set_all<'a>(&self, values: impl IntoIterator<Item = (&'a str, Value)>) -> Result<()> {
        let _lock = self.lock()?;
        let mut stored = self.read()?;
        for (key, value) in values {
            os_config::yaml::dotted::set(&mut stored, key, value)
                .with_context(|| format!("setting {key}"))?;
        }
        self.write(&stored, true).map(drop)
    }

    /// Includes or excludes services (`rancher.services_include`), or removes their entries with `None`. Names of
    /// services may have dots, which separate keys elsewhere.
    pub(crate) fn include(&self, names: &[String], included: Option<bool>) -> Result<ExitCode> {
        let _lock = self.lock()?;
        let mut stored = self.read()?;
        let below = |value: &mut Value, key: &str| {
            if !value.is_mapping() {
                *value = Value::Mapping(serde_yaml::Mapping::new());
            }
            let map = value.as_mapping_mut()?;
            Some(std::mem::take(map.entry(key.into()).or_insert(Value::Null)))
        };
        let mut rancher = below(&mut stored, "rancher").unwrap_or_default();
        let mut include = below(&mut rancher, "services_include").unwrap_or_default();
        if !include.is_mapping() {
            include = Value::Mapping(serde_yaml::Mapping::new());
        }
        if let Some(map) = include.as_mapping_mut() {
            for name in names {
                match included {
                    Some(included) => drop(map.insert(name.as_str().into(), included.into())),
                    None => drop(map.remove(name.as_str())),
                }
            }
        }
        if let Some(map) = rancher.as_mapping_mut() {
            map.insert("services_include".into(), include);
        }
        if let Some(map) = stored.as_mapping_mut() {
            map.insert("rancher".into(), rancher);
        }
        self.write(&stored, true)
    }

    /// A lock from reading to writing, so that no change of two simultaneous commands is lost.
    fn lock(&self) -> Result<Flock<fs::File>> {
        let open = || {
            fs::create_dir_all(&self.conf)?;
            fs::File::open(&self.conf)
        };
        let conf = self.conf.display();
        let folder = open().with_context(|| format!("opening {conf} (are you root?)"))?;
        Flock::lock(folder, FlockArg::LockExclusive)
            .map_err(|(_, error)| error)
            .with_context(|| format!("locking {conf}"))
    }

    fn read(&self) -> Result<Value> {
        let file = self.file.display();
        let empty = || Value::Mapping(serde_yaml::Mapping::new());
        match fs::read_to_string(&self.file) {
            Ok(text) if text.trim().is_empty() => Ok(empty()),
            Ok(text) => serde_yaml::from_str(&text).with_context(|| {
                format!("reading {file}; mend or remove it first, `ros config validate` shows where it is wrong")
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(empty()),
            Err(error) => Err(error).with_context(|| format!("reading {file} (are you root?)")),
        }
    }

    fn write(&self, value: &Value, force: bool) -> Result<ExitCode> {
        let text = serde_yaml::to_string(value).context("writing the configuration")?;
        let name = self.file.display().to_string();
        if report(&problems_of_part(&self.root, text.as_bytes(), &name)) && !force {
            anyhow::bail!("nothing was changed\nhint: --force keeps it all the same");
        }
        files::write(&self.file, &text, 0o600)?;
        Ok(ExitCode::SUCCESS)
    }
}
